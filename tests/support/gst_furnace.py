"""An RTSP camera before a furnace, served by GStreamer; the system's Python runs it.

``python3 gst_furnace.py PORT SIDE RATE`` reads pictures from its standard input, RGB, ``SIDE`` by
``SIDE``, shows the newest ``RATE`` times a second at ``/furnace``, and prints ``ready`` once it
listens.
"""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


class FurnaceFactory(GstRtspServer.RTSPMediaFactory):
    """Makes a live stream of the newest picture."""

    def __init__(self, side, rate) -> None:
        super().__init__()
        self.side, self.rate = side, rate
        self.picture = bytes(side * side * 3)
        self.set_shared(True)
        self.set_latency(0)
        self.set_launch(
            "( appsrc name=source is-live=true format=time do-timestamp=true "
            f"caps=video/x-raw,format=RGB,width={side},height={side},framerate={rate}/1 ! "
            "videoconvert ! video/x-raw,format=I420 ! "
            "x264enc tune=zerolatency sliced-threads=false threads=1 speed-preset=ultrafast "
            f"bitrate=2000 key-int-max={max(1, rate // 2)} ! "
            "rtph264pay name=pay0 pt=96 config-interval=-1 )"
        )
        self.connect("media-configure", self.configure)

    def configure(self, _factory, media):
        """Push pictures for as long as the stream lasts."""
        source = media.get_element().get_child_by_name("source")
        GLib.timeout_add(1000 // self.rate, lambda: self.push(source))

    def push(self, source):
        """Push the newest picture; return whether the stream goes on."""
        flow = source.emit("push-buffer", Gst.Buffer.new_wrapped(self.picture))
        return flow == Gst.FlowReturn.OK

    def read_pictures(self):
        """Take what comes from the standard input."""
        while picture := sys.stdin.buffer.read(self.side * self.side * 3):
            self.picture = picture


def main():
    """Serve until killed."""
    port, side, rate = map(int, sys.argv[1:4])
    Gst.init(None)
    factory = FurnaceFactory(side, rate)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(port))
    server.get_mount_points().add_factory("/furnace", factory)
    if not server.attach(None):
        raise SystemExit("cannot listen")
    threading.Thread(target=factory.read_pictures, daemon=True).start()
    print("ready", flush=True)
    GLib.MainLoop().run()


main()
