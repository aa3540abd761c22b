"""The secured overlay with its options, as a plant that takes them all but two writes it.

Sparkplug needs an MQTT broker and the source producer a camera, which no test cluster has.
"""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import jwt
import yaml
from cryptography.hazmat.primitives.asymmetric import ec

from tests.k8s.beside import BESIDE
from tests.k8s.cluster import forwarded, kubectl, run, say, wait_for
from tests.support.manifests import version

OPTIONS: Final = (
    "notify-gateway", "alarm-journal", "backup", "console", "nightly-backtest", "shadow",
)  # fmt: skip
"""In the order in which they are listed."""
LOGINS: Final = (
    "notify-gateway", "alarm-journal", "backup", "console", "nightly-backtest", "shadow-processor",
)  # fmt: skip
LAPTOPS: Final = (
    "tools", "stream-processor", "alarm-manager", "video-producer", "current-producer",
    "scada-adapter", "triton", "broker", "redis",
)  # fmt: skip
"""Images of the laptop overlay."""
IMAGES_OF_OPTIONS: Final = ("console", "journal", "notify-gateway")
"""Those that the overlay without options does not have."""
HOOK: Final = {"user": "meltwatch", "password": "a-secret-of-the-hook"}
_KEY: Final = ec.generate_private_key(ec.SECP256R1())
_PER_CLAIM: Final = [
    {"op": "add", "path": "/spec/storageClassName", "value": BESIDE},
]
# Nothing begins by itself while it is tried by hand.
_PER_CRON_JOB: Final = [{"op": "add", "path": "/spec/suspend", "value": True}]


def with_options(k8s: Path, overlay: Path, components: Sequence[str]) -> None:
    """Write the secured overlay with its options.

    Parameters
    ----------
    k8s
        The folder of the manifests: ours, or that of a bundle, whose images go by digest.
    overlay
        A folder to be made.
    components
        Further ones, by name.
    """
    overlay.mkdir(parents=True)
    here = Path(os.path.relpath(k8s, overlay))
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(_KEY.public_key()))
    keys = json.dumps({"keys": [public | {"kid": "one", "alg": "ES256"}]})
    said = {
        "namespace": "meltwatch",
        "resources": [str(here / "overlays/laptop")],
        "components": [
            str(here / "components" / each) for each in (*OPTIONS, *components, "secured")
        ],
        "images": _images(k8s.parent / "images.yaml"),
        "configMapGenerator": [{"name": "console-keys", "literals": [f"jwks.json={keys}"]}],
        "patches": [
            {"target": {"kind": "PersistentVolumeClaim"}, "patch": yaml.safe_dump(_PER_CLAIM)},
            {"target": {"kind": "CronJob"}, "patch": yaml.safe_dump(_PER_CRON_JOB)},
        ],
    }
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(said))


def _images(of_a_bundle: Path) -> list[dict[str, str]]:
    """Return where the cluster finds our images, those of the laptop overlay included."""
    registry = os.environ.get("REGISTRY") or "localhost"
    known = {}
    if of_a_bundle.is_file():
        listed = yaml.safe_load(of_a_bundle.read_text())["images"]
        known = {each["name"].removeprefix("meltwatch/"): each["digest"] for each in listed}
    images = []
    for name in sorted({*LAPTOPS, *IMAGES_OF_OPTIONS, "triton-candidate"}):
        # The ensemble in shadow is the one of live: what is tried is the way, not the models.
        real = name.removesuffix("-candidate")
        told = {"newName": f"{registry}/meltwatch/{real}", "newTag": version()}
        told |= {"digest": known[real]} if real in known else {}
        images += [{"name": f"{prefix}meltwatch/{name}", **told} for prefix in ("", "localhost/")]
    return images


def bring_channels(folder: Path) -> None:
    """Give the notify gateway its channel, as docs/notify.md says."""
    url = f"json://{HOOK['user']}:{HOOK['password']}@{BESIDE}.{BESIDE}:443/"
    file = folder / "channels.yaml"
    file.write_text(yaml.safe_dump({"channels": [{"name": "hook", "url": url}]}))
    kubectl("create", "secret", "generic", "notify-channels", f"--from-file={file}")


def start(cron_job: str, folder: Path, args: Sequence[str] = ()) -> None:
    """Start what a CronJob would start, by hand.

    Parameters
    ----------
    cron_job
        Its name, and that of the Job.
    folder
        For a file.
    args
        In place of those of its container.
    """
    made = json.loads(
        kubectl("create", "job", cron_job, f"--from=cronjob/{cron_job}", "--dry-run=client",
                "--output", "json")
    )  # fmt: skip
    if args:
        made["spec"]["template"]["spec"]["containers"][0]["args"] = [*args]
    file = folder / f"{cron_job}.json"
    file.write_text(json.dumps(made))
    kubectl("apply", "--filename", str(file))


def ended(job: str, timeout_s: float = 240) -> str:
    """Wait until a Job has ended well, and return its log."""

    def verdict() -> set[str] | None:
        status = json.loads(kubectl("get", "job", job, "--output", "json"))["status"]
        return {each["type"] for each in status.get("conditions", ())} & {
            "Complete", "Failed",
        } or None  # fmt: skip

    found = wait_for(f"the end of {job}", verdict, timeout_s)
    log = run("logs", f"job/{job}", "--all-containers").stdout
    assert found == {"Complete"}, log
    say(f"{job}: {log.strip().splitlines()[-1]}")
    return log


class Console:
    """The console as a browser behind the plant's login asks it.

    Parameters
    ----------
    address
        ``host:port``.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def page(self) -> str:
        """Return the page itself, which everybody may have."""
        with urllib.request.urlopen(f"http://{self._address}/", timeout=30) as answer:
            return str(answer.read().decode())

    def ask(self, path: str, groups: Sequence[str] | None = ("operators",)) -> Any:
        """Return what it says to a member of groups, or to nobody known: an object or a status."""
        told = {
            "iss": "https://login.plant.example.com", "aud": "meltwatch",
            "exp": int(time.time()) + 600, "preferred_username": "li", "groups": groups,
        }  # fmt: skip
        token = jwt.encode(told, _KEY, "ES256", {"kid": "one"})
        head = {} if groups is None else {"Authorization": f"Bearer {token}"}
        url = f"http://{self._address}/api/v1/{path}"
        request = urllib.request.Request(url, headers=head)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code


@contextmanager
def consoles() -> Iterator[Console]:
    """Ask one of the consoles, once both are ready."""
    kubectl("rollout", "status", "deployment/console", "--timeout=300s", timeout_s=310)
    with forwarded("svc/console", 80) as address:
        yield Console(address)
