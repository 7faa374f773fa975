"""Entity tags of objects, from a store that runs on this machine."""

from idhray.entity_tags import entity_tags
from idhray.storage import publish
from tests.made_up_store import made_up_store


def test_an_object_that_was_replaced_by_one_of_its_size_has_another_tag(tmp_path):
    """Name and size are equal; a local file and a missing object have no tag."""
    (tmp_path / "a").write_bytes(b"1234")
    with made_up_store():
        publish("s3://bucket/slide #1.svs", b"1234")
        first = entity_tags(["s3://bucket/slide #1.svs", str(tmp_path / "a"), "s3://bucket/none"])
        publish("s3://bucket/slide #1.svs", b"1235")
        second = entity_tags(["s3://bucket/slide #1.svs"])

    assert len(first) == 1
    assert first != second
