"""What people write of their services in a file."""

import pytest

from opspilot.commands.services import read_file
from schemas.services import Platform
from streams.errors import InputError


def test_short_names_are_completed_and_fields_kept(tmp_path):
    file = tmp_path / "services.yaml"
    file.write_text(
        "shop/checkout:\n  owner: payments-team\n  platform: kubernetes\n"
        "  dependencies: [shop/db, mail]\n  runbooks: [card-declined]\nmail: {}\n"
    )
    checkout, mail = read_file(file)
    assert checkout.service == "default/shop/checkout"
    assert checkout.dependencies == ("default/shop/db", "default/default/mail")
    assert (checkout.platform, checkout.runbooks) == (Platform.KUBERNETES, ("card-declined",))
    assert (mail.service, mail.owner) == ("default/default/mail", None)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read"),
        ("- a\n", "must map service names"),
        ("a: {owner: [", "is not YAML"),
        ("a: {platform: moon}", "a: platform='moon'"),
        ("a: {owners: x}", "a has 'owners': use owner"),
        ("a: {dependencies: b}", "dependencies must be a list"),
        ("a/b/c/d: {}", "a/b/c/d"),
        ("a: nobody", "must be a name followed by fields"),
    ],
)
def test_a_mistake_is_named_with_service_and_field(tmp_path, content, sentence):
    file = tmp_path / "services.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=r"services\.yaml|is not NAME") as raised:
        read_file(file)
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)
