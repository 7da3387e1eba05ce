"""Files of molecular dynamics by the command: one run at a time, ended anywhere, damaged, or of another run."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read, write
from ase_mlips.analysis.heat.recorder import read_heat_flux
from support.morse import Morse

from ase_mlips.cli import main
from ase_mlips.files.appending import AppendedFile

FILES = ["--heat-flux", "flux.txt", "--heat-interval", "5", "--interval", "5"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current directory, with a Morse model, cu.morse, and a crystal of 4 atoms, cu.xyz."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cu.morse").touch()
    write("cu.xyz", bulk("Cu", "fcc", a=3.35, cubic=True))
    return tmp_path


def md(*arguments):
    return main(["md", "cu.morse", "cu.xyz", "--seed", "1", *map(str, arguments)])


def contents(folder: Path) -> dict[str, bytes]:
    """What is in every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(capsys, *arguments) -> str:
    """What the command says when it stops with one sentence and changes nothing."""
    before = contents(Path())
    capsys.readouterr()
    assert md(*arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert contents(Path()) == before
    return said.removeprefix("ase-mlips: ")


@pytest.mark.parametrize("name", ["md.traj", "md.log", "flux.txt"])
@pytest.mark.parametrize("option", ["--restart", "--force"])
def test_a_file_of_a_run_that_is_going_on_is_refused(here, capsys, name, option):
    assert md("--steps", 10, *FILES) == 0
    with AppendedFile(name, new=False):
        said = refused(capsys, "--steps", 20, *FILES, option)
        assert said == f"{name}: another run, or something that was not closed, is writing this file\n"
    assert md("--steps", 20, *FILES, option) == 0
    assert [atoms.info["step"] for atoms in read("md.traj", ":")] == [0, 5, 10, 15, 20]


def test_two_runs_that_begin_together(here, monkeypatch, capsys):
    """The second one meets the first between its beginning and its first frame."""
    evaluate, met = Morse.evaluate, []

    def second(self, *arguments, **options):
        if not met:
            met.append(None)
            met[0] = md("--steps", 10, "--restart")
        return evaluate(self, *arguments, **options)

    monkeypatch.setattr(Morse, "evaluate", second)
    assert md("--steps", 10, "--restart") == 0
    assert met == [2]
    assert "md.traj: another run" in capsys.readouterr().err
    assert [atoms.info["step"] for atoms in read("md.traj", ":")] == [0, 10]


def test_a_killed_process_leaves_no_lock(here):
    code = (
        "import os, signal; from ase_mlips.files.appending import AppendedFile\n"
        "file = AppendedFile('md.traj', new=False); print('held', flush=True); signal.pause()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert md("--steps", 5, "--restart") == 2
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert md("--steps", 5, "--restart") == 0


def test_an_append_is_whole_or_nothing(here, monkeypatch):
    with AppendedFile("x.txt", new=True) as file:
        file.append(b"one\n")
        with pytest.raises(BlockingIOError, match="is writing this file"):
            AppendedFile("x.txt", new=False)
        file._file.close()
        file._file = Interrupted(open("x.txt", "r+b", buffering=0))  # noqa: SIM115
        with pytest.raises(KeyboardInterrupt):
            file.append(b"two\n")
        assert file.read() == b"one\n"
    with pytest.raises(FileExistsError):
        AppendedFile("x.txt", new=True)


class Interrupted:
    """A file that writes one byte and is then interrupted."""

    def __init__(self, file):
        self._file = file

    def write(self, data):
        self._file.write(data[:1])
        raise KeyboardInterrupt

    def __getattr__(self, name):
        return getattr(self._file, name)


def test_an_empty_file_vanishes_if_it_was_made_here(here):
    AppendedFile("new.txt", new=True).close()
    assert not Path("new.txt").exists()
    Path("old.txt").touch()
    AppendedFile("old.txt", new=False).close()
    assert Path("old.txt").exists()


def test_a_link_to_a_file_that_is_yet_to_be_made(here):
    (here / "scratch").mkdir()
    os.symlink("scratch/md.traj", "md.traj")
    assert md("--steps", 5) == 0
    assert len(read("scratch/md.traj", ":")) == 2
    assert Path("md.traj").is_symlink()
    os.symlink("scratch/x", "x")
    AppendedFile("x", new=True).close()
    assert Path("x").is_symlink()


def test_a_file_that_was_removed_while_it_was_opened_is_opened_again(here, monkeypatch):
    in_place, seen = AppendedFile._in_place, []

    def removed_once(self):
        if not seen:
            seen.append(None)
            os.unlink(self.path)
        return in_place(self)

    monkeypatch.setattr(AppendedFile, "_in_place", removed_once)
    with AppendedFile("x.txt", new=False) as file:
        file.append(b"x")
    assert Path("x.txt").read_bytes() == b"x"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EIO])
def test_without_locks(here, monkeypatch, number):
    """As on some network file systems; not every failure means that."""

    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", flock)
    if number == errno.EIO:
        with pytest.raises(OSError, match=r"x\.txt"):
            AppendedFile("x.txt", new=True)
        return
    with pytest.warns(UserWarning, match=r"x\.txt: this file system has no locks"):
        file = AppendedFile("x.txt", new=True)
    file.close()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.02, 0.2, 0.5, 0.9])
def test_a_run_that_was_killed_before_its_first_frame_begins_anew(here, share):
    """As a job script does that says --restart each time; the frame is whole only when the header counts it."""
    assert md("--steps", 1, *FILES) == 0
    one = contents(here)
    header = one["md.traj"][:32] + bytes(8) + one["md.traj"][40:]
    for name in ("md.traj", "md.log", "flux.txt"):
        content = header if name == "md.traj" else one[name]
        Path(name).write_bytes(content[: int(share * len(content))])
    assert md("--steps", 10, *FILES, "--restart") == 0
    assert md("--steps", 10, *FILES, "--heat-flux", "x.txt", "-o", "x.traj") == 0
    assert Path("md.log").read_text() == Path("x.log").read_text()
    assert Path("flux.txt").read_text() == Path("x.txt").read_text()
    assert [atoms.info["step"] for atoms in read("md.traj", ":")] == [0, 5, 10]


def test_what_a_lost_trajectory_has_left_is_not_overwritten(here, capsys):
    assert md("--steps", 10, *FILES) == 0
    os.remove("md.traj")
    said = refused(capsys, "--steps", 10, *FILES, "--restart")
    assert said == "md.log: is the log of a run whose trajectory is not there to be continued\n"
    os.remove("md.log")
    said = refused(capsys, "--steps", 10, *FILES, "--restart")
    assert said.startswith("flux.txt: is of a run whose trajectory is not there to be continued")
    Path("flux.txt").write_text("# notes\n")
    assert refused(capsys, "--steps", 10, *FILES, "--restart").startswith("flux.txt: ")


@pytest.mark.parametrize("begin", [0, 8, 30, 60, 400, 700, 1300])
@pytest.mark.parametrize("length", [16, 100_000])
@pytest.mark.parametrize("filling", [0, 255])
def test_a_damaged_trajectory_is_continued_or_refused_in_a_sentence(here, capsys, begin, length, filling):
    """As after a power failure, which leaves zeros where nothing has reached the disk yet."""
    assert md("--steps", 20, "--interval", 5) == 0
    content = bytearray(Path("md.traj").read_bytes())
    end = min(begin + length, len(content))
    content[begin:end] = bytes([filling]) * (end - begin)
    Path("md.traj").write_bytes(content)
    capsys.readouterr()
    code = md("--steps", 30, "--restart")
    said = capsys.readouterr().err
    assert (code, said.count("\n")) in ((0, 0), (2, 1))
    if code == 2:
        assert said.startswith(("ase-mlips: md.traj: ", "ase-mlips: md.log: is the log of a run whose trajectory"))
        assert Path("md.traj").read_bytes() == content


def test_zeros_within_the_last_frame_are_noticed(here, capsys):
    """Where the disk got the end of the file, but not all that lies before."""
    assert md("--steps", 5, "--interval", 5) == 0
    content = bytearray(Path("md.traj").read_bytes())
    positions = content.rfind(read("md.traj").positions.tobytes())
    content[positions + 24 : positions + 32] = bytes(8)
    Path("md.traj").write_bytes(content)
    said = refused(capsys, "--steps", 10, "--restart")
    assert said.startswith("md.traj: its last frame has an energy of ")
    assert said.endswith(" eV: the file is damaged, or the model is another one\n")


def test_a_log_of_another_run_is_not_continued(here, capsys):
    assert md("--steps", 10, "--interval", 5) == 0
    assert md("--steps", 20, "--interval", 5, "--seed", 2, "-o", "other.traj") == 0
    assert refused(capsys, "--steps", 20, "--restart", "--log", "other.log").startswith(
        "other.log: is the log of another run, which differs at step 10"
    )
    assert refused(capsys, "--steps", 20, "--restart", "--log", "cu.morse").startswith("cu.morse: is an input")
    Path("notes.log").write_text("precious\n")
    assert refused(capsys, "--steps", 20, "--restart", "--log", "notes.log").startswith("notes.log: is no log of such")


def test_broken_rows_among_others_of_a_log(here):
    assert md("--steps", 20, "--interval", 5) == 0
    lines = Path("md.log").read_bytes().splitlines(keepends=True)
    lines[2:3] = [bytes(50), b"\n"]
    Path("md.log").write_bytes(b"".join(lines))
    assert md("--steps", 30, "--interval", 5, "--restart") == 0
    np.testing.assert_array_equal(np.loadtxt("md.log")[:, 0], [0, 10, 15, 20, 25, 30])


def test_a_broken_tail_of_a_flux_is_cut_off(here):
    assert md("--steps", 10, *FILES) == 0
    for steps, tail in ((20, b"15.0 1.2"), (30, bytes(40))):
        with open("flux.txt", "ab") as file:
            file.write(tail)
        assert md("--steps", steps, *FILES, "--restart") == 0
        assert len(read_heat_flux("flux.txt")) == steps // 5 + 1
        os.truncate("md.traj", os.path.getsize("md.traj"))


def test_a_flux_of_another_run_is_not_continued(here, capsys):
    assert md("--steps", 10, *FILES) == 0
    assert md("--steps", 20, *FILES, "--seed", 2, "-o", "other.traj", "--heat-flux", "other.txt") == 0
    said = refused(capsys, "--steps", 20, *FILES, "--restart", "--heat-flux", "other.txt")
    assert said.startswith("other.txt: is of another run, which has ")
    assert md("--steps", 20, *FILES, "--restart") == 0


def test_restart_and_force_exclude_each_other(here, capsys):
    with pytest.raises(SystemExit):
        md("--restart", "--force")
    assert "not allowed with argument" in capsys.readouterr().err


def test_a_forced_run_says_how_to_continue_it(here, monkeypatch, capsys):
    evaluate, calls = Morse.evaluate, []

    def interrupt(self, *arguments, **options):
        calls.append(None)
        if len(calls) == 8:
            signal.raise_signal(signal.SIGINT)
        return evaluate(self, *arguments, **options)

    assert md("--steps", 10) == 0
    monkeypatch.setattr(Morse, "evaluate", interrupt)
    assert md("--steps", 30, "--interval", 2, "--force") == 130
    command = capsys.readouterr().err.split("ase-mlips ")[-1].split()
    assert "--force" not in command
    assert main(command) == 0
    assert [atoms.info["step"] for atoms in read("md.traj", ":")] == list(range(0, 31, 2))


def test_a_bulk_without_periodicity_is_noticed(here, capsys):
    atoms = read("cu.xyz")
    atoms.pbc = False
    write("open.xyz", atoms)
    for command in (["md", "--steps", "1"], ["relax", "--steps", "1", "-o", "out.xyz"]):
        main([command[0], "cu.morse", "open.xyz", *command[1:]])
        assert (
            capsys.readouterr().err == "ase-mlips: open.xyz: not periodic, though it has a cell: a cluster in vacuum\n"
        )
    assert main(["relax", "cu.morse", "open.xyz", "--cell", "-o", "cell.xyz"]) == 2
    assert "open.xyz: --cell needs a periodic axis" in capsys.readouterr().err
    assert not Path("cell.xyz").exists()


def test_nvt_is_bussi(here, capsys):
    for name in ("nvt", "bussi"):
        assert md("--ensemble", name, "--steps", 10, "-o", f"{name}.traj") == 0
    assert capsys.readouterr().out.count("bussi: 4 atoms") == 2
    np.testing.assert_array_equal(read("nvt.traj").positions, read("bussi.traj").positions)
    assert md("--ensemble", "bussi", "--steps", 20, "-o", "nvt.traj", "--restart") == 0
