import queue
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tritonclient.grpc as triton_grpc
from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_local_cluster.servers import TritonServer
from meltwatch_local_cluster.servers.checkout import checkout_folder
from meltwatch_local_cluster.servers.shared_memory import regions
from meltwatch_schemas.encoder import default_encoder
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from tests.support.waiting import LIMIT_S, until

pytestmark = pytest.mark.integration

REAL = checkout_folder() / "triton_models" / "repository"
DECODE = "fmformer_decode"
# The real model behind a configuration that lets every shape through to it.
LOOSE_CONFIGURATION = """
name: "fmformer_decode"
backend: "onnxruntime"
max_batch_size: 4
dynamic_batching { %s }
input [ { name: "patches" data_type: TYPE_FP16 dims: [ -1, -1, -1 ] } ]
output [ { name: "clip" data_type: TYPE_UINT8 dims: [ -1, -1, -1, -1 ] } ]
instance_group [ { count: 1 } ]
parameters { key: "intra_op_thread_count" value { string_value: "2" } }
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    shutil.copytree(REAL / DECODE, folder / DECODE)
    return folder


@pytest.fixture(scope="module")
def loose(tmp_path_factory: pytest.TempPathFactory):
    """A server that takes every shape; each test leaves it as it was."""
    folder = tmp_path_factory.mktemp("loose")
    shutil.copytree(REAL / DECODE, folder / "repository" / DECODE)
    with serving(folder / "repository", folder, "max_queue_delay_microseconds: 200000") as own:
        yield own


def serving(repository: Path, tmp_path: Path, batching: str) -> TritonServer:
    (repository / DECODE / "config.pbtxt").write_text(LOOSE_CONFIGURATION % batching)
    return TritonServer(tmp_path / "triton", repository=repository)


@contextmanager
def connected(server: TritonServer):
    client = triton_grpc.InferenceServerClient(server.address)
    try:
        yield client
    finally:
        client.close()


def ask(patches: np.ndarray) -> list[triton_grpc.InferInput]:
    tensor = triton_grpc.InferInput("patches", patches.shape, np_to_triton_dtype(patches.dtype))
    tensor.set_data_from_numpy(patches)
    return [tensor]


def grey(level: int, batch: int = 1) -> np.ndarray:
    """Give embeddings of frames of one grey; with an orthonormal basis only the mean is set."""
    frames = np.full((10, 64, 64, 3), level, dtype=np.uint8)
    return np.stack([default_encoder().encode(frames)] * batch)


def statistics(client):
    (of_model,) = client.get_inference_statistics(DECODE).model_stats
    return of_model


def decoded(client, patches):
    return client.infer(DECODE, ask(patches), client_timeout=LIMIT_S).as_numpy("clip")


def test_the_real_repository_is_served(triton):
    with connected(triton) as client:
        assert client.is_model_ready("fmformer")
        np.testing.assert_array_equal(decoded(client, grey(77)), np.uint8(77))


# A batch runs when it is full, however long that takes.
WAITS_UNTIL_FULL = "preferred_batch_size: [ 4 ] max_queue_delay_microseconds: 60000000"


def test_requests_that_run_as_one_batch_get_their_own_rows(repository, tmp_path):
    answers: queue.Queue[Any] = queue.Queue()
    levels = {10: 1, 20: 2, 30: 1}
    with serving(repository, tmp_path, WAITS_UNTIL_FULL) as full, connected(full) as client:
        for level, batch in levels.items():
            client.async_infer(
                DECODE,
                ask(grey(level, batch)),
                callback=lambda result, error: answers.put((result, error)),
                request_id=str(level),
            )
        for _ in levels:
            result, error = answers.get(timeout=LIMIT_S)
            assert error is None
            clip = result.as_numpy("clip")
            level = int(result.get_response().id)
            assert clip.shape == (levels[level], 10, 64, 64, 3)
            np.testing.assert_array_equal(clip, np.uint8(level))
        # Triton counts a batch after it has sent its answers.
        until(lambda: statistics(client).inference_count == 4, "four windows counted")
        assert statistics(client).execution_count == 1


def test_a_shape_that_the_model_refuses_is_the_callers_error_and_harms_nobody(loose):
    with connected(loose) as client:
        with pytest.raises(InferenceServerException) as refused:
            decoded(client, np.zeros((1, 10, 64, 191), dtype=np.float16))
        assert "INVALID_ARGUMENT" in str(refused.value.status())
        assert "patches" in refused.value.message()
        np.testing.assert_array_equal(decoded(client, grey(5)), np.uint8(5))


def test_a_model_is_reloaded_while_it_serves(loose):
    with connected(loose) as client:
        for level in (1, 2, 3):
            client.unload_model(DECODE)
            client.load_model(DECODE)
            np.testing.assert_array_equal(decoded(client, grey(level)), np.uint8(level))


def test_a_broken_model_ends_the_start_with_one_line_that_names_it(repository, tmp_path):
    (repository / DECODE / "1" / "model.onnx").write_bytes(b"no model")
    own = TritonServer(tmp_path / "triton", repository=repository)
    with pytest.raises(DependencyUnreachable) as failed, own:
        pass
    text = str(failed.value)
    assert "\n" not in text
    assert "model.onnx" in text
    assert str(own.log) in text
    assert not own.is_running()
    assert not regions(own.shared_memory_prefix)


@pytest.mark.parametrize("end", [TritonServer.stop, TritonServer.kill])
def test_no_process_and_no_shared_memory_is_left(repository, tmp_path, end):
    with TritonServer(tmp_path / "triton", repository=repository) as own:
        assert regions(own.shared_memory_prefix)
        end(own)
        assert not regions(own.shared_memory_prefix)

        def marked() -> list[psutil.Process]:
            return [
                process
                for process in psutil.process_iter(["cmdline"])
                if any(own.shared_memory_prefix in part for part in process.info["cmdline"] or ())
            ]

        # A stub that is dead is there until whoever inherits it has taken note.
        until(lambda: marked() == [], marked)


def test_a_server_goes_on_when_thawed_and_starts_again_on_its_address(loose):
    loose.freeze()
    until(lambda: not loose.answers(), "the frozen server is silent")
    loose.thaw()
    loose.wait_ready()
    with connected(loose) as client:
        np.testing.assert_array_equal(decoded(client, grey(9)), np.uint8(9))
    # A new life also for whoever comes next: stubs may not outlive a pause for long.
    address = loose.address
    loose.kill()
    loose.start()
    loose.wait_ready()
    assert loose.address == address
    with connected(loose) as client:
        np.testing.assert_array_equal(decoded(client, grey(9)), np.uint8(9))
