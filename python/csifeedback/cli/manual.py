#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Man pages of the programs, and completion for bash and zsh, from their parsers.

`python3 -m gnuradio.csifeedback.cli.manual DIRECTORY` writes NAME.1, bash/NAME and zsh/_csifeedback for
all programs; the build does so.
"""

import argparse
import functools
import importlib
import os
import re
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple
from unittest import mock

from .. import csifeedback_python as core
from ..training.run import trainers
from . import common

#: program -> what it is for, in a few words
PROGRAMS = {
    "csifeedback_bench": "measure the speed of codecs of CSI feedback",
    "csifeedback_bs": "base station: pilots down, CSI feedback up",
    "csifeedback_dataset": "make, import, export and inspect data sets of channel matrices",
    "csifeedback_eval": "measure errors of CSI feedback codecs at ratios and bits",
    "csifeedback_reproduce": "reproduce tables and figures of papers and of the manual",
    "csifeedback_sim": "simulate CSI feedback in a GNU Radio flowgraph",
    "csifeedback_train": "train codecs of CSI feedback",
    "csifeedback_ue": "user equipment: measure the channel, send CSI feedback",
    "csifeedback_view": "show the figures of both ends of a CSI feedback link",
}
#: further commands of csifeedback_train, which are no argparse subparsers
TRAIN_COMMANDS = {"sweep": "train several codecs at several ratios",
                  "export": "write a trained codec for PyTorch or ONNX Runtime",
                  "tables": "give a trained model the tables of entropy-coded reports"}
#: metavar -> what its values are: file, directory, model or codec
VALUES = {"FILE": "file", "PATH": "file", "FILE.py": "file", "NAME|FILE": "file", "[N=]FILE": "file",
          "DIR": "directory", "MODEL[:DECODER[,..]]": "model", "MODEL": "model", "CODEC": "codec"}


class Program(NamedTuple):
    """A program or one of its commands: name ("csifeedback_dataset import"), its parser, the commands
    that it has, and [(title, parser)] of options that depend on another one."""

    name: str
    parser: argparse.ArgumentParser
    commands: Dict[str, "Program"]
    more: List[Tuple[str, argparse.ArgumentParser]]


class _Found(Exception):
    """Carries a parser out of the program that would have used it."""


def parser_of(program: str, argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser that a program makes for some arguments. Nothing of the program runs behind it."""
    main = importlib.import_module(f"{__package__}.{program.removeprefix('csifeedback_')}").main

    def found(parser, *_):
        raise _Found(parser)

    with mock.patch.object(common.Parser, "parse_known_args", found):
        try:
            main(list(argv))
        except _Found as one:
            return one.args[0]
    raise RuntimeError(f"{program} has no parser")


@functools.lru_cache(maxsize=None)
def program(name: str) -> Program:
    """All about a program of PROGRAMS."""
    parser = parser_of(name)
    commands: Dict[str, Program] = {}
    more = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            commands = {key: Program(f"{name} {key}", sub, {}, []) for key, sub in action.choices.items()}
    if name == "csifeedback_train":
        commands = {key: Program(f"{name} {key}", parser_of(name, [key]), {}, []) for key in TRAIN_COMMANDS}
        for codec in sorted(trainers()):
            try:
                more.append((codec, parser_of(name, ["--codec", codec])))
            except ImportError:  # a codec that needs PyTorch, where it is not
                print(f"no options of {codec}: its trainer cannot be imported", file=sys.stderr)
    return Program(name, parser, commands, more)


def options(parser: argparse.ArgumentParser) -> List[argparse.Action]:
    """The options and arguments that a parser shows."""
    return [action for action in parser._actions if action.help is not argparse.SUPPRESS
            and not isinstance(action, argparse._SubParsersAction)]


def _value(action):
    """How the value of an option is written, "" if it has none."""
    if action.nargs == 0:
        return ""
    if action.metavar is not None:
        text = str(action.metavar)
    elif action.choices is not None:
        text = "{" + ",".join(map(str, action.choices)) + "}"
    else:
        text = action.dest if not action.option_strings else action.dest.upper()
    if action.nargs in ("+", "*"):
        return f"{text} ..."
    return f"[{text}]" if action.nargs == "?" else text


def _help(parser, action):
    """The help of an option, with its values filled in; choices that the metavar hides are in it."""
    text = ""
    if action.help:
        text = action.help % {**{key: value for key, value in vars(action).items()
                                 if value is not argparse.SUPPRESS}, "prog": parser.prog}
    if action.metavar is not None and action.choices is not None and action.nargs != 0:
        missing = [str(c) for c in action.choices if str(c) not in text]
        if missing:
            text += " (" + ", ".join(map(str, action.choices)) + ")"
    return " ".join(text.split())


# -- man pages -----------------------------------------------------------------------------------


def roff(text: str) -> str:
    """Text that troff shows as it is."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    text = text.replace("~", "\\(ti").replace("^", "\\(ha")
    return re.sub(r"^\.", "\\\\&.", text, flags=re.MULTILINE)


def _roff_value(action):
    """The value of an option; a list of choices, maybe longer than a line, can break after a comma."""
    return roff(_value(action)).replace(",", ",\\:")


def _entry(parser, action):
    """An option with its help."""
    value = _roff_value(action)
    if action.option_strings:
        names = ", ".join(f"\\fB{roff(name)}\\fR" + (f" \\fI{value}\\fR" if value else "")
                          for name in action.option_strings)
    else:
        names = f"\\fI{value}\\fR"
    return [".TP", names, roff(_help(parser, action)) or "\\&"]


def _synopsis(parser):
    lines = [f"\\fB{roff(parser.prog)}\\fR"]
    for action in options(parser):
        value = _roff_value(action)
        if action.option_strings:
            text = f"\\fB{roff(action.option_strings[-1])}\\fR" + (f" \\fI{value}\\fR" if value else "")
            if not action.required:
                text = f"[{text}]"
        else:
            text = f"\\fI{value}\\fR"
        lines.append(text)
    return lines


def _sections(parser):
    """The options of a parser, group by group."""
    lines = []
    for group in parser._action_groups:
        actions = [a for a in group._group_actions if a in options(parser)]
        if not actions:
            continue
        if group.title not in ("options", "positional arguments"):
            lines += [".PP", f"\\fI{roff(group.title or '')}\\fR"]
        for action in actions:
            lines += _entry(parser, action)
    return lines


def _paragraphs(text):
    lines = []
    for paragraph in (text or "").strip().split("\n\n"):
        lines += [".PP", roff(" ".join(paragraph.split()))]
    return lines


def man_page(name: str) -> str:
    """The man page of a program."""
    one = program(name)
    lines = ['.\\" made of the program\'s parser',
             f'.TH {name.upper()} 1 "" "gr\\-csifeedback {roff(core.__version__)}" "User Commands"',
             ".ad l", ".nh", ".SH NAME", f"{roff(name)} \\- {roff(PROGRAMS[name])}", ".SH SYNOPSIS"]
    if one.commands and name != "csifeedback_train":
        lines += [f"\\fB{roff(name)}\\fR \\fICOMMAND\\fR [\\fIoption\\fR ...]"]
    else:
        lines += _synopsis(one.parser)
    lines += [".SH DESCRIPTION", *_paragraphs((one.parser.description or "").replace("%%", "%"))[1:]]
    if one.commands:
        lines += [".SH COMMANDS"]
        for key, sub in one.commands.items():
            lines += [f".SS {roff(key)}", *_synopsis(sub.parser), *_paragraphs(sub.parser.description),
                      *_sections(sub.parser)]
    lines += [".SH OPTIONS", *_sections(one.parser)]
    common_names = {s for action in one.parser._actions for s in action.option_strings}
    for title, parser in one.more:
        own = [a for a in options(parser) if not common_names & set(a.option_strings)]
        if own:
            lines += [f".SS Options of \\-\\-codec {roff(title)}"]
            for action in own:
                lines += _entry(parser, action)
    if one.parser.epilog:
        lines += [".SH NOTES", *_paragraphs(one.parser.epilog.replace("%%", "%"))[1:]]
    lines += [
        ".SH EXIT STATUS", "0, or 2 and one line on standard error on bad use, or 130 on Ctrl\\-C.",
        ".SH ENVIRONMENT", ".TP", "\\fBCSIFEEDBACK_MODELS\\fR",
        "directories of models, with colons between them, before that of the installation",
        ".SH SEE ALSO", ", ".join(f"\\fB{roff(other)}\\fR(1)" for other in PROGRAMS if other != name)]
    return "\n".join(line for line in lines if line) + "\n"


# -- completion ----------------------------------------------------------------------------------


def _static(kind):
    """Names of codecs that need no file."""
    return sorted(trainers()) if kind == "codec" else []


class _Completion(NamedTuple):
    """What may follow the words of a command line: options, and option -> values (a list of words, or
    "file", "directory", "model"); "" is what stands without an option."""

    options: List[str]
    values: Dict[str, Any]


def _completion(one: Program) -> _Completion:
    names: List[str] = []
    values: Dict[str, Any] = {}
    for parser in [one.parser, *(p for _, p in one.more)]:
        for action in options(parser):
            names += [name for name in action.option_strings if name not in names]
            if action.nargs == 0:
                continue
            kind: Any = VALUES.get(str(action.metavar))
            if action.choices is not None:
                kind = [str(c) for c in action.choices]
            elif kind == "codec":
                kind = _static(kind)
            for name in action.option_strings or [""]:
                values.setdefault(name, kind)
    return _Completion(names, values)


def _commands(name):
    """[(words behind the program that choose it, _Completion)], the program itself last."""
    one = program(name)
    found = [(key, _completion(sub)) for key, sub in one.commands.items()]
    own = _completion(one)
    if one.commands:
        own.values[""] = list(one.commands)
    return [*found, ("", own)]


_BASH = '''# Completion for bash of @NAME@, made of the program's parser.

_@NAME@_models() {
    local prefix place
    prefix=$(command -v @NAME@) && prefix=${prefix%/bin/*}
    for place in ${CSIFEEDBACK_MODELS//:/ } "$prefix/share/gr-csifeedback/models"; do
        [ -d "$place" ] && (cd "$place" && printf '%s\\n' *.h5)
    done 2>/dev/null | sed -n 's/[.]h5$//p' | sort -u
}

_@NAME@() {
    local current=${COMP_WORDS[COMP_CWORD]} command= option= i kind options
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            @COMMANDS@) [ -n "$command" ] || [ $i -gt 1 ] || command=${COMP_WORDS[i]} ;;
        esac
    done
    # The option that the current word is a value of, if it is one.
    for ((i = COMP_CWORD - 1; i > 0; i--)); do
        case ${COMP_WORDS[i]} in
            =) ;;
            -*) option=${COMP_WORDS[i]}; break ;;
        esac
    done
    [ "$current" = = ] && current=
    case "$command" in
@CASES@
    esac
    case "$current" in
        -*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current"); return ;;
    esac
    case "$kind" in
        file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        directory) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
        model) mapfile -t COMPREPLY < <(compgen -W "$(_@NAME@_models)" -- "$current"; compgen -f -- "$current") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "${kind#=}" -- "$current") ;;
    esac
}

complete -F _@NAME@ @NAME@
'''


def _kind_text(kind):
    return "" if kind is None else kind if isinstance(kind, str) else "=" + " ".join(kind)


def _quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def bash(name: str) -> str:
    """The completion of a program for bash."""
    cases = []
    for command, completion in _commands(name):
        lines = [f"        {command or '*'})", f"            options={_quoted(' '.join(completion.options))}",
                 '            case "$option" in']
        for option, kind in completion.values.items():
            if option:
                lines.append(f"                {option}) kind={_quoted(_kind_text(kind))} ;;")
        # An option without a value, or none: what stands alone.
        lines += [f"                *) kind={_quoted(_kind_text(completion.values.get('')))} ;;",
                  "            esac", "            ;;"]
        cases += lines
    commands = "|".join(program(name).commands) or "/"
    return _BASH.replace("@CASES@", "\n".join(cases)).replace("@COMMANDS@", commands).replace("@NAME@", name)


def zsh() -> str:
    """The completion of all programs for zsh."""
    lines = [f"#compdef {' '.join(PROGRAMS)}", "# Made of the programs' parsers.", "",
             "_csifeedback_models() {", "    local -a names places",
             "    places=(${(s.:.)CSIFEEDBACK_MODELS} ${${:-$service}:c:A:h:h}/share/gr-csifeedback/models)",
             "    names=(${^places}/*.h5(N:t:r))", "    compadd -- $names", "    _files", "}", "",
             "local -a arguments", "case $service in"]
    for name in PROGRAMS:
        lines.append(f"    {name})")
        sets = _commands(name)
        if len(sets) > 1:
            lines.append("        case $words[2] in")
            for command, completion in sets:
                lines += [f"            {command or '*'})"] + _zsh_arguments(completion, "                ")
                if command:
                    lines.append("                shift words; (( CURRENT-- ))")
                lines.append("                ;;")
            lines.append("        esac")
        else:
            lines += _zsh_arguments(sets[0][1], "        ")
        lines.append("        ;;")
    lines += ["esac", "_arguments -S : $arguments", ""]
    return "\n".join(lines)


def _zsh_arguments(completion, indent):
    def action(kind):
        if kind is None:
            return " "
        return {"file": "_files", "directory": "_files -/", "model": "_csifeedback_models"}.get(
            kind) if isinstance(kind, str) else "(" + " ".join(kind) + ")"

    lines = [indent + "arguments=("]
    for option in completion.options:
        text = "*" + option
        if option in completion.values:
            text += f"[ ]:value:{action(completion.values[option])}"
        lines.append(indent + "    " + _quoted(text))
    if "" in completion.values:
        lines.append(indent + "    " + _quoted(f"*:value:{action(completion.values[''])}"))
    return lines + [indent + ")"]


def write(directory: str) -> None:
    """Writes all of them."""
    for place in (directory, os.path.join(directory, "bash"), os.path.join(directory, "zsh")):
        os.makedirs(place, exist_ok=True)

    def save(name, text):
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.write(text)

    for name in PROGRAMS:
        save(name + ".1", man_page(name))
        save(f"bash/{name}", bash(name))
    save("zsh/_csifeedback", zsh())


def main(argv: Sequence[str]) -> Optional[int]:
    parser = argparse.ArgumentParser(prog="manual", description=__doc__)
    parser.add_argument("directory")
    write(parser.parse_args(argv).directory)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
