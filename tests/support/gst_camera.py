"""An RTSP camera that draws its own clock, served by GStreamer; the system's Python runs it.

``python3 gst_camera.py PORT LOCKED_PORT`` prints ``ready`` once it listens. The picture is at
``/clock``; at the second port it is behind the login of ``CAMERA_USER`` and ``CAMERA_PASSWORD``.
"""

import argparse
import os
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

CELLS, CELL = 8, 16
ENCODERS = {
    # In slices, an access unit comes in parts that no decoder puts together.
    "h264": "x264enc tune=zerolatency sliced-threads=false threads=1 speed-preset=ultrafast",
    "h265": "x265enc tune=zerolatency speed-preset=ultrafast",
}


class ClockFactory(GstRtspServer.RTSPMediaFactory):
    """Makes a live stream whose corner says in black and white when a frame was drawn."""

    def __init__(self, options) -> None:
        super().__init__()
        self.options = options
        self.set_shared(True)
        self.set_latency(0)
        caps = (
            f"video/x-raw,format=I420,width={options.width},height={options.height},"
            f"framerate={options.rate}/1"
        )
        self.set_launch(
            f"( appsrc name=source is-live=true format=time do-timestamp=true caps={caps} ! "
            f"{ENCODERS[options.codec]} bitrate=1500 key-int-max={options.key_every} ! "
            f"rtp{options.codec}pay name=pay0 pt=96 config-interval=-1 )"
        )
        self.connect("media-configure", self.configure)

    def configure(self, _factory, media):
        """Push frames for as long as the stream lasts."""
        source = media.get_element().get_child_by_name("source")
        GLib.timeout_add(1000 // self.options.rate, lambda: self.push(source))

    def push(self, source):
        """Draw a frame; return whether the stream goes on."""
        width, height = self.options.width, self.options.height
        milliseconds = time.time_ns() // 1_000_000
        grey, picture = b"\x7e", b""
        for row in range(CELLS):
            bits = [milliseconds >> (row * CELLS + column) & 1 for column in range(CELLS)]
            line = b"".join((b"\xeb" if bit else b"\x10") * CELL for bit in bits)
            picture += (line + grey * (width - len(line))) * CELL
        picture += grey * (width * height - len(picture)) + b"\x80" * (width * height // 2)
        return source.emit("push-buffer", Gst.Buffer.new_wrapped(picture)) == Gst.FlowReturn.OK


def served(port, options):
    """Return a server that listens."""
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(port))
    factory = ClockFactory(options)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("user", "media.factory.access", True)
    permissions.add_permission_for_role("user", "media.factory.construct", True)
    factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/clock", factory)
    return server


def lock(server):
    """Let only one user in, by a digest."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth.add_digest(os.environ["CAMERA_USER"], os.environ["CAMERA_PASSWORD"], token)
    server.set_auth(auth)


def main():
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("locked_port", type=int)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=360)
    parser.add_argument("--rate", type=int, default=25)
    parser.add_argument("--key-every", type=int, default=15)
    parser.add_argument("--codec", choices=ENCODERS, default="h264")
    options = parser.parse_args()
    Gst.init(None)
    servers = [served(options.port, options), served(options.locked_port, options)]
    lock(servers[1])
    if not all(server.attach(None) for server in servers):
        raise SystemExit("cannot listen")
    print("ready", flush=True)
    GLib.MainLoop().run()


main()
