import io

from meltwatch_chassis.run_state import ServiceState
from meltwatch_local_cluster.screen.presenters import LinePresenter, PictureTaker, ScreenPresenter
from rich.console import Console

from tests.support.run_snapshots import snapshot, streamed
from tests.support.timed_records import alarm_record


def test_lines_tell_what_changed_and_how_things_stand_every_ten_seconds():
    out = io.StringIO()
    run = streamed("f", until_s=0)
    raised = alarm_record("f/OVERHEAT", raised_s=4)
    down = ServiceState(pid=None, state="down", detail="down since 12:00:05 UTC")

    with LinePresenter(out) as presenter:
        for tenths in range(200):
            services = {"stream_processor": down} if tenths >= 50 else None
            presenter.show(snapshot(run, tenths / 10, services), [raised] if tenths == 42 else [])

    lines = out.getvalue().splitlines()
    assert lines[0].startswith("streaming for 150 s, sources: simulator; Kafka 127.0.0.1:20001")
    assert sum("windows" in line for line in lines) == 2
    assert lines.count("stream_processor: ● ready") == 1
    assert lines.count("stream_processor: ✖ down down since 12:00:05 UTC") == 1
    assert sum("▲ UNACK" in line and "f/OVERHEAT" in line for line in lines) == 1
    assert len(lines) == 1 + 4 + 1 + 1 + 2


def test_the_screen_takes_the_terminal_and_gives_it_back():
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=24)
    run = streamed("demo/F1", until_s=10)

    with ScreenPresenter(console) as presenter:
        presenter.show(snapshot(run, 10), [])
        drawn = len(console.file.getvalue())
        presenter.show(snapshot(run, 10.1), [])
        assert len(console.file.getvalue()) == drawn, "drawn about twice a second, not more"
        presenter.show(snapshot(run, 10.2), [alarm_record()])
        assert len(console.file.getvalue()) > drawn, "but at once when an alarm changed"

    text = console.file.getvalue()
    assert "demo/F1" in text
    assert text.index("\x1b[?1049h") < text.index("\x1b[?1049l")


def test_one_picture_is_taken_while_an_alarm_stands(tmp_path):
    path = tmp_path / "screen.svg"
    taker = PictureTaker(path)
    run = streamed("f", until_s=20)
    run.add_alarm(alarm_record("f/OVERHEAT", raised_s=10))

    taker.consider(snapshot(run, 17.9))
    assert not path.exists()
    taker.consider(snapshot(run, 18.1))
    assert "OVERHEAT" in path.read_text()
    path.unlink()
    taker.consider(snapshot(run, 30))
    taker.finish(snapshot(run, 40))
    assert not path.exists()


def test_a_quiet_run_is_pictured_at_its_end(tmp_path):
    path = tmp_path / "screen.svg"
    taker = PictureTaker(path)

    taker.consider(snapshot(streamed("f", until_s=20), 20))
    taker.finish(snapshot(streamed("f", until_s=20), 20))

    assert path.exists()
    PictureTaker(None).finish(snapshot(streamed("f", until_s=20), 20))
