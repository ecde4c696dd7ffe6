/* SPDX-License-Identifier: Apache-2.0 */
/** @file alias.h  What `reeve model promote` and `reeve model quarantine` share. */
#pragma once

#include "models/alias.h"

#include <stdio.h>

struct alias_place {
    struct rv_alias *alias;
    int dir_fd;
};

/** Open the history in a folder. @return 0, or -1 after saying why on standard error. */
int alias_open(const char *folder, struct alias_place *ret_place);
void alias_close(struct alias_place *place); /* cleanup attribute */

/** Who asks, when it is not said: the name of the login session, else the user's number. */
const char *alias_who(const char *said);

/** Wall clock. */
uint64_t alias_now_s(void);

/** Print which model speaks now. */
void alias_print(const struct rv_sha256 *digest, bool json);
