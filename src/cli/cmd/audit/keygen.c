/* SPDX-License-Identifier: Apache-2.0 */
/* reeve audit keygen: a key that signs checkpoints, or one that cosigns them. */
#include "log.h"

#include <fcntl.h>

int cmd_audit_keygen(int argc, char **argv)
{
    const char *name = NULL, *output = NULL;
    bool help = false, witness = false;
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 'n', "name", "ORIGIN",
          "the log's (or witness's) name, such as example.com/host7", &name, 0, 0 },
        { RV_OPTION_STRING, 'o', "output", "KEY",
          "write the secret key here (0600) and the public one to KEY.pub", &output, 0, 0 },
        { RV_OPTION_FLAG, 'w', "witness", NULL, "make a key that cosigns other logs", &witness, 0,
          0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "say this", &help, 0, 0 },
        { 0 },
    };
    int operands = 0, r;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help) {
        audit_help("keygen", "--name ORIGIN -o KEY", "Make an Ed25519 key for a log or a witness",
                   options);
        return RV_EXIT_YES;
    }
    if (!name || !output || operands > 0) {
        fprintf(stderr, "reeve: say --name ORIGIN and -o KEY; 'reeve audit keygen --help'\n");
        return RV_EXIT_ERROR;
    }
    r = rv_signer_generate(AT_FDCWD, output, name, witness ? RV_NOTE_COSIGNATURE : RV_NOTE_ED25519);
    if (r == -EINVAL)
        fprintf(stderr, "reeve: '%s' cannot name a key: no blanks, no '+', at most %zu bytes\n",
                name, RV_NOTE_NAME_MAX);
    else if (r == -EEXIST)
        fprintf(stderr, "reeve: %s or %s.pub exists; a key is never overwritten\n", output, output);
    else if (r < 0)
        fprintf(stderr, "reeve: cannot write %s: %s\n", output, strerror(-r));
    return r < 0 ? RV_EXIT_ERROR : RV_EXIT_YES;
}
