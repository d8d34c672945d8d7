import json

from services.provider_worker.domain.assembly import Assembly
from services.provider_worker.domain.tokens import Tokens
from shared.contracts.jobs import Operation


def assembled(*chunks, operation=Operation.CHAT):
    assembly = Assembly(operation)
    for chunk in chunks:
        assembly.add(chunk)
    return json.loads(assembly.answer()), assembly


def choice(delta, index=0, **fields):
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 5, "model": "m"}
    return head | {"choices": [{"index": index, "delta": delta, "finish_reason": None} | fields]}


def test_text_grows_and_the_end_is_kept():
    answer, assembly = assembled(
        choice({"role": "assistant", "content": ""}),
        choice({"content": "Hel"}),
        choice({"content": "lo"}),
        choice({}, finish_reason="stop"),
        {
            "choices": [],
            "usage": {
                "prompt_tokens": 3,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 1},
            },
        },
    )
    assert answer == {
        "id": "c1",
        "object": "chat.completion",
        "created": 5,
        "model": "m",
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}},
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
        ],
    }
    assert assembly.tokens == Tokens(input=3, output=2, cached=1)
    assert assembly.pieces == 2


def test_tool_calls_grow_side_by_side():
    def call(index, **function):
        return {"index": index, "function": function}

    answer, _ = assembled(
        choice({"tool_calls": [{"id": "t0", "type": "function", **call(0, name="get", arguments="")}]}),
        choice({"tool_calls": [call(0, arguments='{"a"')]}),
        choice({"tool_calls": [{"id": "t1", "type": "function", **call(1, name="put", arguments="{")}]}),
        choice({"tool_calls": [call(0, arguments=":1}"), call(1, arguments="}")]}),
        choice({}, finish_reason="tool_calls"),
    )
    message = answer["choices"][0]["message"]
    assert message["content"] is None
    assert [each["id"] for each in message["tool_calls"]] == ["t0", "t1"]
    assert not any("index" in each for each in message["tool_calls"])
    assert [each["function"] for each in message["tool_calls"]] == [
        {"name": "get", "arguments": '{"a":1}'},
        {"name": "put", "arguments": "{}"},
    ]


def test_choices_and_their_logprobs_are_kept_apart():
    answer, _ = assembled(
        choice({"content": "b"}, index=1, logprobs={"content": [{"token": "b"}], "refusal": None}),
        choice({"content": "a"}, index=0),
        choice({"content": "B"}, index=1, logprobs={"content": [{"token": "B"}]}),
    )
    assert [each["message"]["content"] for each in answer["choices"]] == ["a", "bB"]
    assert answer["choices"][1]["logprobs"] == {"content": [{"token": "b"}, {"token": "B"}], "refusal": None}


def test_unknown_fields_survive():
    answer, _ = assembled(
        choice({"reasoning_content": "hm"}) | {"citations": ["x"]},
        choice({"reasoning_content": "m", "audio": {"id": "a", "data": "AA"}}) | {"citations": None},
        choice({"audio": {"id": "a", "data": "BB"}}, stop_reason="eos"),
    )
    assert answer["citations"] == ["x"]
    assert answer["choices"][0]["message"]["reasoning_content"] == "hmm"
    assert answer["choices"][0]["message"]["audio"] == {"id": "a", "data": "AABB"}
    assert answer["choices"][0]["stop_reason"] == "eos"


def test_legacy_completions_are_put_together_too():
    answer, assembly = assembled(
        {"id": "c", "choices": [{"index": 0, "text": "on", "finish_reason": None}]},
        {"id": "c", "choices": [{"index": 0, "text": "ce", "finish_reason": "length"}]},
        operation=Operation.COMPLETION,
    )
    assert answer["object"] == "text_completion"
    assert answer["choices"] == [{"index": 0, "text": "once", "finish_reason": "length"}]
    assert assembly.pieces == 2


def test_odd_chunks_do_no_harm():
    answer, _ = assembled(
        {"choices": None},
        {"choices": ["x"]},
        {"choices": [{"index": "first", "delta": None}]},
        {"choices": [{"delta": {"tool_calls": [{"id": "t"}, "x"]}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "u"}]}}]},
    )
    assert len(answer["choices"]) == 1


def test_a_character_that_is_split_over_chunks_is_whole_again():
    answer, _ = assembled(
        choice({"content": "\ud83d"}), choice({"content": "\ude00", "big": 12345678901234567890123})
    )
    assert answer["choices"][0]["message"] == {
        "role": "assistant",
        "content": "\U0001f600",
        "big": 12345678901234567890123,
    }
