import math

from conftest import model


def test_one_embedding(client):
    """The client asks for base64 by itself and decodes it."""
    got = client.embeddings.create(model=model("embedding"), input="The food was delicious")
    (item,) = got.data
    assert len(item.embedding) == 256
    assert math.isclose(sum(x * x for x in item.embedding), 1, rel_tol=1e-4)
    assert got.usage.prompt_tokens == got.usage.total_tokens > 0


def test_both_encodings_agree(client):
    text = ["one", "two 👋"]
    floats = client.embeddings.create(model=model("embedding"), input=text, encoding_format="float", dimensions=16)
    coded = client.embeddings.create(model=model("embedding"), input=text, dimensions=16)
    assert [d.index for d in floats.data] == [0, 1]
    for a, b in zip(floats.data, coded.data):
        assert all(math.isclose(x, y, rel_tol=1e-5) for x, y in zip(a.embedding, b.embedding, strict=True))
