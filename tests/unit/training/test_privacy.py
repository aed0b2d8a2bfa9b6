import json

import pytest

from training.dataset.privacy import PrivacyError, require_none, traces


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("mail to ana.lopez@bank.example.com failed", "e-mail address"),
        ("card 4111 1111 1111 1111 was declined", "payment card"),
        ("caller +34 612 345 678 hung up", "telephone number"),
        ("paid from DE89 3704 0044 0532 0130 00", "bank account"),
        ("ssn 078-05-1120 unknown", "social security number"),
        ("key AKIAIOSFODNN7EXAMPLE is revoked", "token"),
        ("login with password=hunter22hunter", "what redaction removes"),
    ],
)
def test_what_tells_of_people_is_named_by_file_line_and_kind_but_not_repeated(text, kind):
    lines = ['{"a": "fine"}', json.dumps({"deep": [{"text": text}]})]
    with pytest.raises(PrivacyError, match=f"train.jsonl, line 2: {kind}") as caught:
        require_none(traces(lines, "train.jsonl"))
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "connect to 10.1.2.3:5432 refused after 30000 ms",
        "order 88123312 of <email> failed, password=<secret>",
        "at java.base/java.lang.Thread.run(Thread.java:840)",
        "2026-03-01T09:12:21.100Z node-7 kernel: [81233.1] sda: error, sector 91233122",
    ],
)
def test_plain_log_text_passes(text):
    require_none(traces([json.dumps({"text": text})], "train.jsonl"))


def test_an_id_of_our_own_is_no_card_though_its_digits_may_be_one():
    require_none(traces([json.dumps({"fingerprint": "eac6304660430372"})], "train.jsonl"))
    found = traces([json.dumps({"text": "paid by 4111111111111111"})], "train.jsonl")
    assert [trace.kind for trace in found] == ["payment card"]
