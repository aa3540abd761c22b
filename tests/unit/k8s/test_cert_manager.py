"""Triton's certificate from cert-manager. Rendered alone: no cert-manager runs here."""

import pytest

from tests.support import manifests
from tests.support.manifests import of_kind, workloads

pytestmark = pytest.mark.programs

OVERLAY = "plant with cert-manager"


def test_the_certificate_is_where_triton_looks_for_it_and_has_every_name_that_is_asked():
    told = of_kind(OVERLAY, "Certificate")["triton"]["spec"]
    volumes = {volume["name"]: volume for volume in workloads(OVERLAY)["triton"].spec["volumes"]}
    assert told["secretName"] == volumes["tls"]["secret"]["secretName"]
    asked = {
        address.partition(":")[0]
        for _, container in manifests.containers("plant with options")
        for address in manifests.environment("plant with options", container)
        .get("MELTWATCH_TRITON", "")
        .split(",")
        if address
    }
    assert {*told["dnsNames"]} == asked
    assert "server auth" in told["usages"]


def test_it_is_renewed_while_there_is_time_to_restart_triton():
    told = of_kind(OVERLAY, "Certificate")["triton"]["spec"]
    hours = [int(told[name].removesuffix("h")) for name in ("renewBefore", "duration")]
    assert 90 * 24 <= hours[0] < hours[1]


def test_the_issuer_signs_with_the_ca_that_a_plant_brings():
    issuer = of_kind(OVERLAY, "Issuer")["meltwatch"]
    told = of_kind(OVERLAY, "Certificate")["triton"]["spec"]["issuerRef"]
    assert (told["kind"], told["name"]) == ("Issuer", issuer["metadata"]["name"])
    page = (manifests.ROOT / "docs/kubernetes.md").read_text()
    assert f"`{issuer['spec']['ca']['secretName']}`" in page
