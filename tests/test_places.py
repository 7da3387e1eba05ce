"""Where files can be written: what is refused, and that the question changes nothing."""

import os
import re
import sys

import pytest

from ase_mlips.files.places import require_place

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs files that only Linux has")


def state(folder):
    """Names of what is in a folder, with contents and times of the files."""
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes()) if path.is_file() else None for path in folder.rglob("*")
    }


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current directory, with a file, a directory, and symbolic links to them and to nowhere."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.txt").write_text("kept")
    (tmp_path / "folder").mkdir()
    for link, target in (
        ("to-file", "there.txt"),
        ("to-folder", "folder"),
        ("to-new", "folder/new"),
        ("astray", "none/x"),
    ):
        os.symlink(target, link)
    return tmp_path


@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize("name", ["new.txt", "there.txt", "folder/new.txt", "to-file", "to-folder/new.txt", "to-new"])
def test_a_place_is_left_as_it_is(here, name, append):
    before = state(here)
    require_place(name, append=append)
    require_place(here / name, append=append)
    assert state(here) == before


@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", "folder: is a directory"),
        ("to-folder", "to-folder: is a directory"),
        ("none/x.txt", "none: there is no such directory for none/x.txt"),
        ("there.txt/x.txt", "there.txt: there is no such directory for there.txt/x.txt"),
        ("astray", "{here}/none: there is no such directory for astray"),
    ],
)
def test_what_is_no_place_is_named(here, name, message, append):
    before = state(here)
    with pytest.raises(ValueError, match=f"^{re.escape(message.format(here=os.path.realpath(here)))}$"):
        require_place(name, append=append)
    assert state(here) == before


@LINUX
@pytest.mark.parametrize("append", [False, True])
def test_a_directory_that_takes_no_file_is_refused(append):
    """Nobody, whatever the permissions, makes files among the processes."""
    with pytest.raises(OSError, match=r"/proc/x\.txt") as caught:
        require_place("/proc/x.txt", append=append)
    assert caught.value.filename == "/proc/x.txt"
    assert caught.value.strerror


@LINUX
def test_a_file_may_take_changes_where_none_may_be_made():
    name = f"/proc/{os.getpid()}/comm"
    require_place(name, append=True)
    with pytest.raises(OSError, match=name):
        require_place(name)


@LINUX
def test_a_file_that_takes_no_changes_may_be_replaced(tmp_path):
    """A program that runs cannot be changed, whatever the permissions."""
    name = os.path.realpath(sys.executable)
    with pytest.raises(OSError, match=re.escape(name)):
        require_place(name, append=True)
    here = tmp_path / "read-only.txt"
    here.touch(mode=0o444)
    require_place(here)


def test_a_name_too_long_for_a_file_is_named(here):
    name = "x" * 5000
    with pytest.raises(OSError, match=name) as caught:
        require_place(name)
    assert caught.value.filename == name
