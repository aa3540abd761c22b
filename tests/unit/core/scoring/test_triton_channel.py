"""What our gRPC channel asks of a server, held against what Triton's puts up with by default."""

from meltwatch_core.scoring import triton_endpoint

# tritonserver --help: --grpc-http2-min-recv-ping-interval-without-data, and its two strikes.
MIN_PING_INTERVAL_MS = 300_000
UNLIMITED = -1


def test_pings_never_come_sooner_than_a_server_forbids() -> None:
    options = dict(triton_endpoint._CHANNEL_OPTIONS)
    assert options["grpc.keepalive_time_ms"] >= MIN_PING_INTERVAL_MS
    assert options["grpc.keepalive_permit_without_calls"] == 0
    # Zero would mean that as many pings as come to mind may be sent without data.
    assert options.get("grpc.http2.max_pings_without_data", 2) > 0


def test_options_of_our_own_take_none_of_the_clients_away() -> None:
    options = dict(triton_endpoint._CHANNEL_OPTIONS)
    assert options["grpc.max_send_message_length"] == UNLIMITED
    assert options["grpc.max_receive_message_length"] == UNLIMITED
