"""Curves for TensorBoard, read back by its own messages."""

from tensorboardX.proto.event_pb2 import Event

from idhray.exchange.tfrecord import FOOTER, HEADER, masked_crc32c
from idhray.stages.gan_training.event_file import FILE, FOLDER, event_bytes, publish_events

HISTORY = [
    {"kimg": 0.04, "d_loss": 1.5, "r1": None, "kid": 0.25, "kid_by_channel": {"RGB": 0.25},
     "sample_due": True, "warnings": ["x"]},
    {"kimg": 0.1, "d_loss": -2.0, "level": 1, "coverage": 0.5},
]  # fmt: skip


def records(data):
    """Events of a file, whose sums are checked."""
    position, events = 0, []
    while position < len(data):
        length, crc = HEADER.unpack(data[position : position + HEADER.size])
        assert crc == masked_crc32c(data[position : position + 8])
        first = position + HEADER.size
        record = data[first : first + length]
        assert FOOTER.unpack(data[first + length :][: FOOTER.size])[0] == masked_crc32c(record)
        events.append(Event.FromString(record))
        position = first + length + FOOTER.size
    return events


def test_every_number_of_the_history_is_a_point_of_a_curve():
    """Steps are images; flags, lists and losses that no step measured are no numbers."""
    version, *events = records(event_bytes(HISTORY, 5.0))

    assert version.file_version == "brain.Event:2"
    assert [event.step for event in events] == [40, 100]
    points = [{v.tag: v.simple_value for v in event.summary.value} for event in events]
    assert points == [
        {"loss/d_loss": 1.5, "fidelity/kid": 0.25},
        {"loss/d_loss": -2.0, "training/level": 1.0, "fidelity/coverage": 0.5},
    ]


def test_the_file_is_replaced_as_a_whole(tmp_path):
    """After a return to an earlier checkpoint it is shorter."""
    for history in (HISTORY, HISTORY[:1]):
        publish_events(str(tmp_path), history)

    assert len(records((tmp_path / FOLDER / FILE).read_bytes())) == 2
