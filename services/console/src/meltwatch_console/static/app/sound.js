/**
 * Sound: off until somebody presses the button, for browsers want a gesture. A tone for each
 * priority, made by the browser; a critical alarm repeats it until it is acknowledged.
 */

import { h, mark, say } from "./dom.js";
import { text } from "./text.js";
import { isStanding, isUnacknowledged } from "./wording.js";

const AGAIN_MS = 15_000;
const VOLUME = 0.25;
const FADE_S = 0.02;
/** By priority: pitch in Hz and length in s of each beep; more of them and higher is worse. */
const TONES = {
  critical: [[988, 0.14], [784, 0.14], [988, 0.14], [784, 0.14]],
  high: [[784, 0.18], [784, 0.18]],
  medium: [[587, 0.25]],
  low: [[440, 0.2]],
};

/** @param {import("./state.js").Store} store */
export function soundSwitch(store) {
  /** @type {AudioContext|undefined} */
  let audio;
  /** When a critical alarm that waits is called again. @type {number|null} */
  let againMs = null;
  const button = h("button", { class: "plain sound", "aria-pressed": "false", onclick: turn });

  async function turn() {
    if (audio && audio.state !== "running") await audio.resume().catch(() => {});
    else if (audio) {
      await audio.close();
      audio = undefined;
    } else {
      audio = new AudioContext();
      audio.addEventListener("statechange", show);
      await audio.resume().catch(() => {});
      call(waits() ? "critical" : "low"); // also says that it can be heard
    }
    show();
  }

  function show() {
    mark(button, "aria-pressed", String(Boolean(audio)));
    const isMute = audio && audio.state !== "running";
    say(button, text(isMute ? "sound_mute" : "sound_on"));
  }

  /** @param {keyof typeof TONES} priority */
  function sound(priority) {
    if (!audio || audio.state !== "running") return;
    let at = audio.currentTime;
    for (const [pitch, length] of TONES[priority]) {
      const tone = new OscillatorNode(audio, { frequency: pitch, type: "triangle" });
      const gain = new GainNode(audio, { gain: 0 });
      gain.gain.setValueAtTime(0, at);
      gain.gain.linearRampToValueAtTime(VOLUME, at + FADE_S);
      gain.gain.setValueAtTime(VOLUME, at + length - FADE_S);
      gain.gain.linearRampToValueAtTime(0, at + length);
      tone.connect(gain).connect(audio.destination);
      tone.start(at);
      tone.stop(at + length);
      at += length + 0.06;
    }
  }

  /** @param {keyof typeof TONES} priority */
  function call(priority) {
    sound(priority);
    if (priority === "critical") againMs = performance.now() + AGAIN_MS;
  }

  /** A critical alarm waits for an acknowledgement. */
  function waits() {
    return [...store.alarms.values()].some((each) => each.priority === "critical" && calls(each));
  }

  function repeat() {
    if (!waits()) againMs = null;
    else if (againMs === null) againMs = performance.now() + AGAIN_MS;
    else if (performance.now() >= againMs) call("critical");
  }

  store.listen(({ what, alarm, before }) => {
    if (what === "alarm" && alarm && !alarm.removed && calls(alarm) && isAnnounced(alarm, before)) {
      call(alarm.priority);
    }
    if (what === "tick" || what === "alarm") repeat();
  });
  show();
  return button;
}

/** It sounds for an operator now: not advisory, shadow, shelved, or silent by its alarm point. @param {any} alarm */
function calls(alarm) {
  return alarm.audible !== false && alarm.mode === "alarm" && isStanding(alarm) && isUnacknowledged(alarm);
}

/** Announced since: a raise, the same again, or the end of a shelving. @param {any} alarm @param {any} before */
function isAnnounced(alarm, before) {
  return !before || before.annunciation_id !== alarm.annunciation_id || before.occurrence_id !== alarm.occurrence_id;
}
