"""An RTSP camera that draws its own clock, served by GStreamer; the system's Python runs it.

``python3 gst_camera.py PORT`` prints ``ready`` once it listens. Paths: ``/clock`` and, with the
same picture, ``/locked`` behind a login that stands in ``CAMERA_USER`` and ``CAMERA_PASSWORD``.
"""

import argparse
import os
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

BITS = 44
BLOCK = 14
STRIP = 16


class ClockFactory(GstRtspServer.RTSPMediaFactory):
    """Makes a live stream whose top strip says in black and white when a frame was drawn."""

    def __init__(self, options):
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
            f"x264enc tune=zerolatency speed-preset=ultrafast bitrate=1500 "
            f"key-int-max={options.key_every} ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
        )
        self.connect("media-configure", self.configure)

    def configure(self, _factory, media):
        source = media.get_element().get_child_by_name("source")
        alive = [True]
        media.connect("unprepared", lambda _: alive.clear())
        GLib.timeout_add(1000 // self.options.rate, lambda: bool(alive) and self.push(source))

    def push(self, source):
        width, height = self.options.width, self.options.height
        milliseconds = time.time_ns() // 1_000_000
        bits = [milliseconds >> bit & 1 for bit in range(BITS)]
        strip = b"".join((b"\xeb" if bit else b"\x10") * BLOCK for bit in bits)
        strip += b"\x7e" * (width - len(strip))
        body = b"\x7e" * (width * (height - STRIP)) + b"\x80" * (width * height // 2)
        return source.emit("push-buffer", Gst.Buffer.new_wrapped(strip * STRIP + body)) in (
            Gst.FlowReturn.OK,
            Gst.FlowReturn.FLUSHING,
        )


def locked(server):
    """Let only one user in, by a digest."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth.add_digest(os.environ["CAMERA_USER"], os.environ["CAMERA_PASSWORD"], token)
    open_token = GstRtspServer.RTSPToken()
    open_token.set_string("media.factory.role", "anybody")
    auth.set_default_token(open_token)
    server.set_auth(auth)


def main():
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=360)
    parser.add_argument("--rate", type=int, default=25)
    parser.add_argument("--key-every", type=int, default=15)
    options = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(options.port)
    for path, roles in (("/clock", ("anybody", "user")), ("/locked", ("user",))):
        factory = ClockFactory(options)
        if "CAMERA_USER" in os.environ:
            permissions = GstRtspServer.RTSPPermissions()
            for role in roles:
                permissions.add_permission_for_role(role, "media.factory.access", True)
                permissions.add_permission_for_role(role, "media.factory.construct", True)
            factory.set_permissions(permissions)
        server.get_mount_points().add_factory(path, factory)
    if "CAMERA_USER" in os.environ:
        locked(server)
    if server.attach(None) == 0:
        raise SystemExit("cannot listen")
    print("ready", flush=True)
    GLib.MainLoop().run()


main()
