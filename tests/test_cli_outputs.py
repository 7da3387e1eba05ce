"""Nothing is lost and nothing is overwritten by the command: names that are taken, and signals that end it."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read, write
from support.command_line import crystal, labelled
from support.heat_series import ornstein_uhlenbeck, write_heat_flux
from support.morse import Morse, MorseCalculator

from ase_mlips.cli import main
from ase_mlips.cli.outputs import claim, give_name, model_files, replacing, unfinished

COMMANDS = {
    "evaluate": (["evaluate", "cu.morse", "in.xyz", "-o", "out.xyz"], ["out.xyz"]),
    "relax": (
        ["relax", "cu.morse", "in.xyz", "-o", "out.xyz", "--trajectory", "out.traj", "--fmax", "1"],
        ["out.xyz", "out.traj"],
    ),
    "md": (
        ["md", "cu.morse", "in.xyz", "--steps", "10", "--heat-flux", "flux.txt"],
        ["md.traj", "md.log", "flux.txt"],
    ),
    "rdf": (["rdf", "run.xyz", "--r-max", "3"], ["rdf.npz", "rdf.png"]),
    "vdos": (["vdos", "run.xyz", "--frame-spacing", "5", "-o", "v.npz"], ["v.npz", "v.png"]),
    "msd": (["msd", "run.xyz", "--frame-spacing", "5"], ["msd.npz", "msd.png"]),
    "kappa": (["kappa", "heat.txt", "-o", "k.npz"], ["k.npz", "k.png"]),
    "phonons": (
        ["phonons", "cu.morse", "primitive.xyz", "--supercell", "2", "-o", "ph"],
        ["ph.txt", "ph.yaml", "ph.png", "ph.bands.dat", "ph.dos.dat"],
    ),
    "fit": (
        ["fit", "snap", "train.xyz", "-o", "x.snapcoeff", "--twojmax", "2"],
        ["x.snapcoeff", "x.snapparam", "x.report.json", "x.png"],
    ),
}
OUTPUTS = [(name, output) for name, (_, outputs) in COMMANDS.items() for output in outputs]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current directory, with a Morse model and something to read for every command."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cu.morse").touch()
    write("in.xyz", crystal())
    return tmp_path


@pytest.fixture
def inputs(here):
    """Something to read for the commands that do not take one structure."""
    write("primitive.xyz", bulk("Cu", "fcc", a=3.3324))
    write("run.xyz", [crystal(k) for k in range(12)])
    write("train.xyz", [labelled(0.0, 0.0, 0.0, k) for k in range(4)])
    write_heat_flux(here / "heat.txt", ornstein_uhlenbeck(1_000, seed=0, timestep_fs=5.0))
    return here


def contents(folder: Path) -> dict[str, bytes]:
    """What is in every file of a folder and below."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(arguments, capsys) -> str:
    """What the command says when it stops with one sentence and changes nothing."""
    before = contents(Path())
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert contents(Path()) == before
    return said.removeprefix("ase-mlips: ")


def in_call(monkeypatch, number, action):
    """Run `action` within the force call of that number."""
    evaluate, calls = Morse.evaluate, []

    def counted(self, *arguments, **options):
        calls.append(None)
        result = evaluate(self, *arguments, **options)
        if len(calls) == number:
            action()
        return result

    monkeypatch.setattr(Morse, "evaluate", counted)


@pytest.mark.parametrize(("name", "output"), OUTPUTS)
def test_an_output_that_exists_is_refused(here, name, output, capsys):
    """Before anything is read: most of the inputs are not even there."""
    Path(output).write_text("precious")
    assert refused(COMMANDS[name][0], capsys).startswith(f"{output}: exists; ")


@pytest.mark.filterwarnings("ignore::UserWarning")  # so few frames are not enough for anything
@pytest.mark.parametrize("name", COMMANDS)
def test_force_replaces_all_outputs(inputs, name):
    arguments, outputs = COMMANDS[name]
    for output in outputs:
        Path(output).write_text("to be replaced")
    before = set(os.listdir())
    assert main([*arguments, "--force"]) < 2  # 1: written, though so few frames are not enough
    assert all(b"to be replaced" not in Path(output).read_bytes() for output in outputs)
    assert set(os.listdir()) == before


@pytest.mark.parametrize(("name", "output"), [pair for pair in OUTPUTS if pair[0] not in ("kappa", "fit")])
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_an_input_is_never_an_output(here, name, output, link, capsys):
    """Under whatever name."""
    arguments = COMMANDS[name][0]
    source = next(word for word in arguments if word.endswith((".xyz", ".morse")))
    Path(source).write_text("precious")
    link(source, output)
    assert refused([*arguments, "--force"], capsys).startswith(f"{output}: is an input too ({source})")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["md", "cu.morse", "in.xyz", "--heat-flux", "md.traj"], "md.traj: is what -o names, too"),
        (["md", "cu.morse", "in.xyz", "--log", "in.xyz"], "in.xyz: is an input too"),
        (["md", "cu.morse", "in.xyz@-1", "--log", "in.xyz"], "in.xyz: is an input too"),
        (["md", "cu.morse", "in.xyz", "--log", "cu.morse"], "cu.morse: is an input too"),
        (["md", "in.xyz", "cu.morse", "--log", "cu.morse"], "cu.morse: is an input too"),
        (["md", "cu.morse", "in.xyz", "--log", "x", "--heat-flux", "./x"], "./x: is what --log names, too"),
        (["relax", "cu.morse", "in.xyz", "-o", "x.traj", "--trajectory", "x.traj"], "x.traj: is what -o names, too"),
        (["relax", "cu.morse", "in.xyz", "-o", "in.xyz"], "in.xyz: is an input too"),
        (["evaluate", "cu.morse", "in.xyz@0", "-o", "in.xyz"], "in.xyz: is an input too"),
        (["rdf", "x.npz", "-o", "x.npz"], "x.npz: is an input too"),
        (["phonons", "nep.txt", "in.xyz", "-o", "nep"], "nep.txt: is an input too"),
        (["kappa", "x.png", "-o", "x.npz"], "x.png: is an input too"),
        (["fit", "snap", "in.xyz", "--test", "x.png", "-o", "x.snap"], "x.png: is an input too"),
        (["fit", "snap", "in.xyz", "--head", "2", "--checkpoint", "in.xyz", "-o", "x.snap.npz"], "in.xyz: is an input"),
    ],
)
def test_one_name_for_two_files_is_refused_with_force_too(here, arguments, message, capsys):
    (here / "nep.txt").write_text("nep4 1 Cu\n")
    for force in ([], ["--force"]):
        assert refused([*arguments, *force], capsys).startswith(message)


def test_all_files_of_a_model_are_inputs(here, capsys):
    for name in ("Si.snapcoeff", "Si.snapparam", "Si.snap", "Si.traj"):
        (here / name).touch()
    files = ["Si.snap", "Si.snapcoeff", "Si.snapparam"]
    assert all(sorted(set(model_files(name))) == files for name in ("Si", "Si.snap", "Si.snapcoeff"))
    assert model_files("embedded:Si") == []
    assert "is an input too" in refused(["md", "Si.snapcoeff", "in.xyz", "--log", "Si.snapparam", "--force"], capsys)


@pytest.mark.parametrize("stream", [1, 2])
@pytest.mark.parametrize("option", ["--force", "--restart"])
def test_the_default_log_is_not_where_the_shell_writes(here, stream, option, capsys):
    """As with `> md.log` and `2> md.log`; the message itself may then go there."""
    saved = os.dup(stream)
    try:
        with open("md.log", "wb") as file:
            os.dup2(file.fileno(), stream)
        code = main(["md", "cu.morse", "in.xyz", "--steps", "2", option])
    finally:
        os.dup2(saved, stream)
        os.close(saved)
    assert code == 2
    assert "md.log: is where the shell sends what the command says; expected another" in capsys.readouterr().err
    assert not (here / "md.traj").exists()


def test_what_appears_meanwhile_is_not_overwritten(here):
    def write_it_twice():
        with replacing("out.txt") as new:
            new.write_text("second")
            Path("out.txt").write_text("first")

    with pytest.raises(FileExistsError, match=r"^out\.txt: something else has written it meanwhile; .* out-unfinished"):
        write_it_twice()
    assert contents(here) == {
        str(here / name): text
        for name, text in (
            ("cu.morse", b""),
            ("in.xyz", Path("in.xyz").read_bytes()),
            ("out.txt", b"first"),
            ("out-unfinished.txt", b"second"),
        )
    }


def test_without_hard_links(here, monkeypatch):
    def link(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", link)
    Path("new").write_text("x")
    give_name(here / "new", "out.txt")
    assert Path("out.txt").read_text() == "x"
    Path("new").write_text("y")
    with pytest.raises(FileExistsError):
        give_name(here / "new", "out.txt")
    assert Path("out.txt").read_text() == "x"
    assert Path("out-unfinished.txt").read_text() == "y"


def test_names_of_what_is_not_finished(here):
    for name in ("x.npz", "x-unfinished.npz", "x-unfinished1.npz"):
        assert unfinished("x.npz") == name
        Path(name).touch()


def test_a_demonstration_replaces_only_one_of_its_own(here, monkeypatch, capsys):
    done = []
    monkeypatch.setattr("ase_mlips.cli.demo.demonstrate", lambda *arguments: done.append(arguments[2]))
    monkeypatch.setattr("ase_mlips.cli.demo.load_model", lambda _: MorseCalculator())
    for arguments in ([], ["--output", "mine"]):
        assert main(["demo", *arguments]) == 0
        (done[-1] / "rdf.npz").write_text("precious")
    assert main(["demo"]) == 0
    assert refused(["demo", "--output", "mine"], capsys).startswith("mine/rdf.npz: exists; --force")
    assert main(["demo", "--output", "mine", "--force"]) == 0
    assert len(done) == 4


def test_claims_know_which_files_go_on(here):
    Path("state.npz").touch()
    claim({"-o": ["a", "b"], "--checkpoint": "state.npz", "--log": None}, ["in.xyz"], going_on=["--checkpoint"])
    with pytest.raises(ValueError, match=r"^state\.npz: exists"):
        claim({"-o": ["a", "state.npz"]}, ["in.xyz"])


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (getattr(signal, "SIGHUP", 1), 129)]
)
class TestSignals:
    """All that end a command do it in the same orderly way."""

    def test_relax_keeps_the_last_structure(self, here, monkeypatch, capsys, number, code):
        in_call(monkeypatch, 3, lambda: signal.raise_signal(number))
        handlers = [signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)]
        assert main(["relax", "cu.morse", "in.xyz", "-o", "out.xyz", "--fmax", "1e-6"]) == code
        assert [signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)] == handlers
        said = capsys.readouterr()
        assert said.err == "ase-mlips: interrupted; out.xyz is the structure of step 2, which is not relaxed\n"
        reached = read("out.xyz")
        energy = reached.get_potential_energy()
        reached.calc = MorseCalculator()
        assert energy == pytest.approx(reached.get_potential_energy(), abs=1e-6)
        assert float(said.out.splitlines()[-1].split()[1]) == pytest.approx(energy, abs=1e-5)
        assert sorted(os.listdir()) == ["cu.morse", "in.xyz", "out.xyz"]

    def test_relax_does_not_replace_a_file_by_what_is_not_relaxed(self, here, monkeypatch, number, code):
        Path("out.xyz").write_text("precious")
        in_call(monkeypatch, 3, lambda: signal.raise_signal(number))
        assert main(["relax", "cu.morse", "in.xyz", "-o", "out.xyz", "--fmax", "1e-6", "--force"]) == code
        assert Path("out.xyz").read_text() == "precious"
        assert len(read("out-unfinished.xyz")) == 4

    def test_evaluate_keeps_what_is_done(self, here, monkeypatch, capsys, number, code):
        write("many.xyz", [crystal(k) for k in range(9)])
        in_call(monkeypatch, 5, lambda: signal.raise_signal(number))
        assert main(["evaluate", "cu.morse", "many.xyz", "-o", "out.xyz"]) == code
        assert capsys.readouterr().err == "ase-mlips: interrupted; out.xyz holds all frames until then, 5\n"
        assert len(read("out.xyz", ":")) == 5
        assert sorted(os.listdir()) == ["cu.morse", "in.xyz", "many.xyz", "out.xyz"]

    def test_a_second_one_does_not_wait(self, here, monkeypatch, capsys, number, code):
        write("many.xyz", [crystal(k) for k in range(9)])
        in_call(monkeypatch, 5, lambda: [signal.raise_signal(number) for _ in range(2)])
        assert main(["evaluate", "cu.morse", "many.xyz", "-o", "out.xyz"]) == code
        assert capsys.readouterr().err == "ase-mlips: interrupted; out.xyz holds all frames until then, 4\n"
        assert len(read("out.xyz", ":")) == 4

    def test_md_finishes_its_step(self, here, monkeypatch, number, code):
        in_call(monkeypatch, 6, lambda: signal.raise_signal(number))
        command = ["md", "cu.morse", "in.xyz", "--steps", "9", "--interval", "1", "--seed", "1"]
        assert main(command) == code
        assert len(read("md.traj", ":")) == len(np.loadtxt("md.log")) == 6
        assert main([*command, "--restart"]) == 0
        assert len(read("md.traj", ":")) == 10

    def test_no_temporary_folder_stays(self, here, monkeypatch, number, code):
        """Not even where nothing waits for a better moment."""

        def savefig(*_, **__):
            signal.raise_signal(number)
            signal.raise_signal(number)

        monkeypatch.setattr("matplotlib.figure.Figure.savefig", savefig)
        write("run.xyz", [crystal(k) for k in range(3)])
        assert main(["rdf", "run.xyz", "--r-max", "3"]) == code
        assert sorted(os.listdir()) == ["cu.morse", "in.xyz", "rdf.npz", "run.xyz"]


def test_a_signal_that_is_ignored_remains_so(here, monkeypatch):
    """As by nohup, and Ctrl-C in a job that runs in the background; SIGTERM ends these too."""
    previous = [(number, signal.signal(number, signal.SIG_IGN)) for number in (signal.SIGHUP, signal.SIGINT)]
    try:
        in_call(monkeypatch, 2, lambda: signal.raise_signal(signal.SIGHUP))
        assert main(["evaluate", "cu.morse", "in.xyz", "in.xyz", "in.xyz"]) == 0
        monkeypatch.undo()
        os.chdir(here)
        monkeypatch.setattr(
            "ase_mlips.cli.info.chosen_model",
            lambda _: [signal.raise_signal(n) for n in (signal.SIGINT, signal.SIGTERM)],
        )
        assert main(["info", "cu.morse"]) == 143
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        for number, handler in previous:
            signal.signal(number, handler)


def test_a_reader_that_leaves_does_not_take_the_relaxation_with_it(here, monkeypatch, capfd):
    lines = []

    def write_line(*words, **options):
        lines.append(words)
        if len(lines) > 3:
            raise BrokenPipeError

    monkeypatch.setattr("ase_mlips.cli.relax.print", write_line, raising=False)
    monkeypatch.setattr("os.dup2", lambda *_: None)
    assert main(["relax", "cu.morse", "in.xyz", "-o", "out.xyz"]) == 141
    assert len(read("out.xyz")) == 4


def test_a_relaxation_that_fails_keeps_the_last_structure(here, monkeypatch, capsys):
    def fail():
        raise OverflowError("an atom has some 2000000 neighbours: the cell or the structure has collapsed")

    in_call(monkeypatch, 3, fail)
    assert main(["relax", "cu.morse", "in.xyz", "-o", "out.xyz", "--fmax", "1e-6", "--cell"]) == 1
    said = capsys.readouterr().err
    assert "the cell or the structure has collapsed; out.xyz is the structure of step 1, which is not relaxed\n" in said
    assert said.count("\n") == 1
    assert len(read("out.xyz")) == 4
