"""The files that models are written into: their format, their names, and what they take the place of."""

import errno
import os

import numpy as np
import pytest
import safetensors
from nets import net

import fastnn
from fastnn.saving import container, files


def test_the_container_is_that_of_safetensors_to_the_byte():
    arrays = {
        "b": np.arange(3, dtype=np.float32),
        "a": np.arange(4.0).reshape(2, 2),
        "c": np.arange(1, dtype=np.int32),
        "d": np.arange(2),
        "none": np.zeros((0, 3), np.float32),
        "one": np.array(3.0),
        '\N{SNOWMAN} "quoted"/': np.ones(1, np.float32),
        "B": np.ones(1, np.int64),
    }
    specs = {
        name: safetensors.TensorSpec(dtype=str(a.dtype), shape=list(a.shape), data_ptr=a.ctypes.data, data_len=a.nbytes)
        for name, a in arrays.items()
    }
    metadata = {"fastnn": '{"text": "\\n\n\x01\x7f\N{SNOWMAN}/"}'}
    assert b"".join(container.contained(arrays, metadata)) == safetensors.serialize(specs, metadata)


def test_names_may_be_as_long_as_the_system_lets_them(tmp_path):
    for name in ("n" * 255, "\N{SNOWMAN}" * 85):
        net().save(tmp_path / name)
        assert fastnn.load_model(tmp_path / name).built
    with pytest.raises(OSError) as caught:
        net().save(tmp_path / ("n" * 256))
    assert caught.value.errno == errno.ENAMETOOLONG and caught.value.filename == str(tmp_path / ("n" * 256))


@pytest.mark.skipif(os.name != "posix", reason="needs pipes in folders")
def test_what_is_no_file_is_not_replaced(tmp_path):
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    for target, number in ((pipe, errno.EINVAL), (folder, errno.EISDIR)):
        with pytest.raises(OSError) as caught:
            net().save(target)
        assert caught.value.errno == number and caught.value.filename == str(target)
    assert pipe.is_fifo() and folder.is_dir()
    assert sorted(tmp_path.iterdir()) == [folder, pipe] and not list(folder.iterdir())


def test_a_root_folder_is_no_file():
    with pytest.raises(IsADirectoryError):
        net().save("/")


@pytest.mark.skipif(os.name != "posix", reason="brings folders to the disk")
def test_new_folders_reach_the_disk(tmp_path, monkeypatch):
    brought = []
    monkeypatch.setattr(files, "sync_folder", lambda target: brought.append(target.parent))
    files.make_folders(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
    assert {*brought} == {tmp_path, tmp_path / "a", tmp_path / "a" / "b"}
    brought.clear()
    files.make_folders(tmp_path / "a")
    assert brought == []
