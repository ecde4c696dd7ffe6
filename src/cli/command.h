/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/command.h  `reeve NOUN [VERB]`: one row a sub-command, one file a row
 * (cmd/<noun>/<verb>.c, or cmd/<noun>.c for a noun without verbs).
 * Exit status: 0 yes, 1 no (denied, not verified, tests failed), 2 could not tell (usage, error).
 */
#pragma once

#include "base/base.h"

enum rv_exit { RV_EXIT_YES = 0, RV_EXIT_NO = 1, RV_EXIT_ERROR = 2 };

struct rv_command {
    const char *noun;
    const char *verb;     /* NULL: the noun stands alone */
    const char *operands; /* for the usage line, such as "DIR [--key FILE]" */
    const char *summary;  /* one line, no full stop */
    /** argv[0] is the verb (or the noun). @return an enum rv_exit. */
    int (*run)(int argc, char **argv);
};

/** One line a command: RV_COMMAND(noun, verb, "operands", "summary"); RV_COMMAND_ALONE likewise. */
#define RV_COMMANDS(COMMAND, ALONE)                                                                \
    COMMAND(audit, append, "--key KEY DIR", "append standard input, a line an entry")              \
    COMMAND(audit, erase, "[DIR] -k KEY --subject WHO", "erase personal data beside a log")        \
    COMMAND(audit, export, "[LOG] -k KEY.pub -o FOLDER", "write a time range with proofs")         \
    COMMAND(audit, keygen, "--name ORIGIN -o KEY", "make a key for a log or a witness")            \
    COMMAND(audit, prove, "N [LOG] [-o FILE]", "write a proof that entry N is in the log")         \
    COMMAND(audit, show, "N [LOG] [--recompute]", "print entry N")                                 \
    COMMAND(audit, tail, "[LOG] [--follow]", "print the last entries")                             \
    COMMAND(audit, verify, "LOG|PROOF|FOLDER -k KEY.pub", "check a log, a proof or an export")     \
    COMMAND(audit, witness, "[DIR] --policy FILE", "have a log cosigned, or cosign others")        \
    COMMAND(decisions, label, "INDEX benign|malicious [--note TEXT]", "judge a decision")           \
    COMMAND(decisions, labels, "[-o FILE]", "write what people judged, for training")              \
    COMMAND(hold, approve, "ID [--note TEXT]", "let one held action pass, once")                   \
    COMMAND(hold, deny, "ID [--note TEXT]", "do not let a held action pass")                       \
    COMMAND(hold, list, "[--all] [--json]", "what waits for a person")                             \
    COMMAND(hold, show, "ID [--json]", "one held action, whole")                                   \
    COMMAND(model, bench, "MODEL [--rows FILE]", "measure what a model costs here")                \
    COMMAND(model, card, "MODEL [--json | --html FILE]", "print or draw a model's card")            \
    COMMAND(model, compare, "A B [--rows FILE]", "score the same rows with two models")            \
    COMMAND(model, drift, "--reference FILE... --now FILE...", "has what a host does moved away")    \
    COMMAND(model, eval, "--model FILE --normal FILE... --attack FILE...", "measure a model")        \
    COMMAND(model, explain, "MODEL --rows FILE", "say why a row got its score")                    \
    COMMAND(model, import, "FILE -o MODEL", "take over an XGBoost or ONNX model")                  \
    COMMAND(model, inspect, "MODEL", "print what is in a package")                                 \
    COMMAND(model, list, "FOLDER", "a folder's history, who speaks, what the kernel does")         \
    COMMAND(model, promote, "FOLDER MODEL --why TEXT", "let a model speak from now on")             \
    COMMAND(model, quarantine, "FOLDER --why TEXT", "return to the last good model")                \
    COMMAND(model, run, "--onnx FILE | --remote HOST:PORT", "score rows with a model elsewhere")      \
    COMMAND(model, score, "--model FILE --input FILE", "score data files, one line an item")       \
    COMMAND(model, train, "--task TASK --normal FILE... -o MODEL", "learn a model from data files") \
    COMMAND(policy, authorize, "FILE|DIR... --request FILE", "decide one request and say why")     \
    COMMAND(policy, check, "FILE|DIR... [--schema FILE]", "are policies right, and where not")     \
    COMMAND(policy, conformance, "DIR", "judge this engine by an unpacked Cedar corpus")           \
    COMMAND(policy, diff, "A B [--recording FILE]", "what two bundles decide differently")           \
    COMMAND(policy, format, "FILE... [--check]", "put policies on tidy lines")                     \
    COMMAND(policy, simulate, "[--since SPAN]", "what would have been stopped, and who hurt")      \
    COMMAND(policy, test, "DIR...", "decide the cases that are kept beside policies")              \
    COMMAND(policy, translate, "FILE", "human syntax to JSON form, or back")                       \
    COMMAND(policy, explain, "FILE|DIR... [--json]", "where each policy is enforced, and why")     \
    ALONE(watch, "[OPTION...]", "show what programs do, as it happens")                            \
    ALONE(status, "[--json]", "is the agent well, what has it seen, what was lost")                \
    ALONE(decisions, "[INDEX] [OPTION...]", "what went to the log, and why")                       \
    ALONE(doctor, "[--json]", "what this host lets Reeve see, tried")                              \
    ALONE(mode, "[POLICY STAGE]", "how far each policy goes: observe, shadow, enforce")            \
    ALONE(undo, "N|all", "take back what was done")                                                \
    ALONE(stop, "", "emergency stop: nothing is refused, what stands is undone")                   \
    ALONE(resume, "", "end the emergency stop")                                                    \
    ALONE(record, "-o FILE [-- COMMAND...]", "record events of a command or of the machine")       \
    ALONE(replay, "FILE... [OPTION...]", "run recorded events through the judge")                  \
    ALONE(version, "", "print the version")

#define RV_COMMAND_PROTOTYPE(noun, verb, operands, summary)                                        \
    int cmd_##noun##_##verb(int argc, char **argv);
#define RV_COMMAND_ALONE_PROTOTYPE(noun, operands, summary) int cmd_##noun(int argc, char **argv);
RV_COMMANDS(RV_COMMAND_PROTOTYPE, RV_COMMAND_ALONE_PROTOTYPE)
