import pytest
from meltwatch_chassis.errors import ConfigurationError, FatalError
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_chassis.settings import (
    KafkaSettings,
    PlantSettings,
    TritonSettings,
    describe,
    load,
)
from meltwatch_producers.settings import Settings
from pydantic import ValidationError


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as error:
        load(Settings, environ)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)
    return str(error.value)


def test_defaults_run_on_a_laptop() -> None:
    settings = load(Settings, {})

    assert settings.kafka == "127.0.0.1:9092"
    assert settings.topic_prefix == "meltwatch"


def test_values_are_read_from_the_environment_and_frozen() -> None:
    settings = load(Settings, {"MELTWATCH_SIMULATOR_SPEED": "2.5", "PATH": "/bin"})

    assert settings.simulator_speed == 2.5
    with pytest.raises(ValidationError, match="frozen"):
        settings.simulator_speed = 3.0  # type: ignore[misc] # what must not work


def test_a_variable_that_nobody_knows_is_an_error() -> None:
    assert "got MELTWATCH_KAFKAA" in refusal({"MELTWATCH_KAFKAA": "x"})


def test_a_variable_of_another_service_is_ignored() -> None:
    assert load(Settings, {"MELTWATCH_TRITON": "elsewhere:8001"}) == Settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MELTWATCH_SIMULATOR_FURNACES", "0"),
        ("MELTWATCH_SIMULATOR_FURNACES", "many"),
        ("MELTWATCH_SIMULATOR_SPEED", "0.5"),
        ("MELTWATCH_SIMULATOR_DURATION_S", "-1"),
        ("MELTWATCH_TOPIC_PREFIX", "a b"),
        ("MELTWATCH_LOG_LEVEL", "loud"),
        ("MELTWATCH_KAFKA_SECURITY_PROTOCOL", "TELNET"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected_and_what_came(
    variable: str, value: str
) -> None:
    message = refusal({variable: value})

    assert message.startswith(f"{variable}: ")
    assert message.endswith(f"got {value!r}")


def test_one_triton_or_several_may_be_named() -> None:
    one = load(TritonSettings, {"MELTWATCH_TRITON": "dns:///triton:8001"})
    two = load(TritonSettings, {"MELTWATCH_TRITON": "a:8001, [::1]:8001"})

    assert one.triton_endpoints == ("dns:///triton:8001",)
    assert two.triton_endpoints == ("a:8001", "[::1]:8001")


@pytest.mark.parametrize("value", ["", "a", "a:", ":8001", "a:8001,", "a:1,a:1", "a:1;b"])
def test_wrong_addresses_of_triton_are_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="MELTWATCH_TRITON: expected host:port"):
        load(TritonSettings, {"MELTWATCH_TRITON": value})


@pytest.mark.parametrize("value", ["", "a", "a b:1", "a:1,", "a:x", "a:65536", "[::1:9092", "a:٣"])
def test_wrong_addresses_of_brokers_are_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="MELTWATCH_KAFKA: expected host:port"):
        load(KafkaSettings, {"MELTWATCH_KAFKA": value})


def test_blanks_around_addresses_of_brokers_mean_nothing() -> None:
    assert load(KafkaSettings, {"MELTWATCH_KAFKA": " a:1, [::1]:2 "}).kafka == "a:1,[::1]:2"


@pytest.mark.parametrize("value", ["a\n", "\x1b[31m", "\udcff", "\u202e"])
def test_a_value_that_cannot_be_shown_is_refused(value: str) -> None:
    for name in ("MELTWATCH_KAFKA", "MELTWATCH_PLANT_FILE", "MELTWATCH_KAFKA_PASSWORD"):
        with pytest.raises(ConfigurationError, match=f"{name}: expected printable text") as caught:
            load(PlantSettings, {name: value})
        assert value not in str(caught.value)


def test_a_password_is_never_shown() -> None:
    settings = KafkaSettings.model_validate({"kafka_password": "geheim"})

    assert "geheim" not in f"{settings!r}{settings}"


def test_the_help_lists_every_variable_with_default_and_meaning() -> None:
    lines = describe(Settings).splitlines()

    assert len(lines) == len(Settings.model_fields)
    assert any(
        line.split() == ["MELTWATCH_SIMULATOR_SEED=1", "Seed", "of", "everything", "simulated."]
        for line in lines
    )


def test_kafka_is_reached_in_plain_text_by_default() -> None:
    arguments = connection_arguments(KafkaSettings(kafka="a:1,b:2"))

    assert arguments == {"bootstrap_servers": ["a:1", "b:2"], "security_protocol": "PLAINTEXT"}


def test_tls_and_login_are_handed_to_the_clients() -> None:
    arguments = connection_arguments(
        KafkaSettings.model_validate(
            {
                "kafka_security_protocol": "SASL_SSL",
                "kafka_sasl_mechanism": "SCRAM-SHA-256",
                "kafka_username": "u",
                "kafka_password": "p",
            }
        )
    )

    assert arguments["ssl_context"].check_hostname
    assert arguments["sasl_mechanism"] == "SCRAM-SHA-256"
    assert (arguments["sasl_plain_username"], arguments["sasl_plain_password"]) == ("u", "p")


def test_a_login_without_its_parts_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="_USERNAME and _PASSWORD"):
        connection_arguments(KafkaSettings(kafka_security_protocol="SASL_PLAINTEXT"))


def test_an_unreadable_certificate_is_refused_in_one_line() -> None:
    settings = KafkaSettings.model_validate(
        {"kafka_security_protocol": "SSL", "kafka_ca_file": "/nowhere/ca.pem"}
    )

    with pytest.raises(FatalError, match="KAFKA_CA_FILE: expected readable PEM certificates"):
        connection_arguments(settings)
