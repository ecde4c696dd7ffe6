/* SPDX-License-Identifier: Apache-2.0 */
#include "alias.h"

#include "base/clock.h"
#include "base/fd.h"

#include <fcntl.h>
#include <unistd.h>

int alias_open(const char *folder, struct alias_place *ret_place)
{
    const char *why = NULL;
    RV_AUTO(rv_closep) int dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r;

    if (dir_fd < 0) {
        fprintf(stderr, "reeve: cannot open the folder %s: %s\n", folder, strerror(errno));
        return -1;
    }
    r = rv_alias_open(&ret_place->alias, dir_fd, RV_ALIAS_FILE, &why);
    if (r < 0) {
        fprintf(stderr, "reeve: %s/%s: %s\n", folder, RV_ALIAS_FILE, why ? why : strerror(-r));
        return -1;
    }
    ret_place->dir_fd = rv_take_fd(&dir_fd);
    return 0;
}

void alias_close(struct alias_place *place)
{
    rv_alias_free(&place->alias);
    rv_closep(&place->dir_fd);
}

const char *alias_who(const char *said)
{
    static char text[64];
    const char *login = said ? said : getlogin();

    if (login)
        return login;
    (void)snprintf(text, sizeof(text), "uid %u", (unsigned)getuid());
    return text;
}

uint64_t alias_now_s(void)
{
    struct rv_clock clock = rv_clock_system();

    return clock.unix_ns(clock.context) / RV_NS_PER_S;
}

void alias_print(const struct rv_sha256 *digest, bool json)
{
    static const struct rv_sha256 zeros;
    char hex[RV_SHA256_HEX_LEN + 1];
    bool built_in = memcmp(digest, &zeros, sizeof(zeros)) == 0;

    rv_sha256_hex(digest, hex);
    if (json)
        printf("{\"built_in\":%s,\"model\":\"%s\"}\n", built_in ? "true" : "false", hex);
    else if (built_in)
        printf("the built-in model speaks now\n");
    else
        printf("model %s speaks now\n", hex);
}
