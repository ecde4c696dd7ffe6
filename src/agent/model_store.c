/* SPDX-License-Identifier: Apache-2.0 */
#include "model_store.h"

#include "agent/models.h"
#include "base/fd.h"
#include "base/log.h"
#include "models/alias.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static const struct rv_sha256 built_in;

static bool is_built_in(const struct rv_sha256 *digest)
{
    return memcmp(digest, &built_in, sizeof(built_in)) == 0;
}

/** Say why a package is not used, and remember it for the record. */
static int refuse(struct rv_model_store *store, const char *path, const char *role, const char *why)
{
    RV_AUTO(rv_freep) char *before = store->refused;
    const char *then = rv_streq(role, "model") ? "the built-in model speaks" : "it goes without";

    rv_warning("the %s %s is not used: %s; %s", role, path, why, then);
    if (asprintf(&store->refused, "%s%sthe %s %s is not used: %s", before ? before : "",
                 before ? "; " : "", role, path, why) < 0) {
        store->refused = NULL;
        return -ENOMEM;
    }
    return 0;
}

static int open_in(int folder_fd, const struct rv_sha256 *digest, struct rv_package **ret_package,
                   const char **reterr)
{
    char name[RV_ALIAS_PACKAGE_NAME_MAX];
    struct rv_sha256 found;
    int r;

    rv_alias_package_name(digest, name);
    r = rv_package_open_file(folder_fd, name, ret_package, reterr);
    if (r < 0)
        return r;
    found = rv_package_digest(*ret_package);
    if (memcmp(&found, digest, sizeof(found)) == 0)
        return 0;
    if (reterr)
        *reterr = "its digest is not the one that was promoted";
    rv_package_free(ret_package);
    return -EBADMSG;
}

/** The model that a folder's history says speaks now. */
static int open_from_history(struct rv_model_store *store, struct rv_package **ret_package,
                             const char **reterr)
{
    RV_AUTO(rv_alias_free) struct rv_alias *alias = NULL;
    struct rv_sha256 digest;
    int r = rv_alias_open(&alias, store->folder_fd, RV_ALIAS_FILE, reterr);

    if (r < 0)
        return r;
    digest = rv_alias_current(alias);
    return is_built_in(&digest) ? 0 : open_in(store->folder_fd, &digest, ret_package, reterr);
}

/** A history beside a package says whether it was quarantined. */
static int check_quarantine(const char *path, const struct rv_package *package, const char **reterr)
{
    RV_AUTO(rv_alias_free) struct rv_alias *alias = NULL;
    RV_AUTO(rv_freep) char *folder = strdup(path);
    RV_AUTO(rv_closep) int fd = -1;
    struct rv_sha256 digest = rv_package_digest(package);
    char *slash = folder ? strrchr(folder, '/') : NULL;
    int r;

    if (!folder)
        return -ENOMEM;
    if (slash)
        slash[slash == folder ? 1 : 0] = '\0';
    fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = fd < 0 ? -errno : rv_alias_open(&alias, fd, RV_ALIAS_FILE, reterr);
    if (r < 0)
        return r;
    if (!rv_alias_is_quarantined(alias, &digest))
        return 0;
    *reterr = "it is quarantined";
    return -EPERM;
}

static int open_one(struct rv_model_store *store, const char *path, const char *role,
                    struct rv_package **ret_package)
{
    const char *why = NULL;
    struct stat status;
    bool folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    int r;

    if (folder && rv_streq(role, "model")) {
        store->folder_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = store->folder_fd < 0 ? -errno : open_from_history(store, ret_package, &why);
    } else {
        r = rv_package_open_file(AT_FDCWD, path, ret_package, &why);
        if (r == 0)
            r = check_quarantine(path, *ret_package, &why);
    }
    if (r == 0 && *ret_package)
        r = rv_models_check(*ret_package, &why);
    if (r == 0 || r == -ENOMEM)
        return r;
    rv_package_free(ret_package);
    return refuse(store, path, role, why ? why : strerror(-r));
}

int rv_model_store_open(struct rv_model_store *ret_store, const char *live, const char *shadow)
{
    RV_AUTO(rv_model_store_done) struct rv_model_store store = { .folder_fd = -1 };
    int r = live[0] ? open_one(&store, live, "model", &store.live) : 0;

    if (r == 0 && shadow[0])
        r = open_one(&store, shadow, "shadow", &store.shadow);
    if (r < 0)
        return r;
    *ret_store = store;
    store = (struct rv_model_store){ .folder_fd = -1 };
    return 0;
}

void rv_model_store_done(struct rv_model_store *store)
{
    rv_package_free(&store->live);
    rv_package_free(&store->shadow);
    rv_closep(&store->folder_fd);
    free(store->refused);
    store->refused = NULL;
}

int rv_model_store_return(struct rv_model_store *store, const struct rv_sha256 *live,
                          const struct rv_alias_note *note, struct rv_package **ret_package)
{
    RV_AUTO(rv_alias_free) struct rv_alias *alias = NULL;
    struct rv_package *package = NULL;
    struct rv_sha256 now;
    const char *why = NULL;
    int r;

    if (store->folder_fd < 0)
        return -ENOENT;
    r = rv_alias_open(&alias, store->folder_fd, RV_ALIAS_FILE, &why);
    if (r < 0)
        return r;
    now = rv_alias_current(alias);
    if (memcmp(&now, live, sizeof(now)) != 0)
        return -ENOENT;
    r = rv_alias_quarantine(alias, note, &now);
    if (r < 0)
        return r;
    if (!is_built_in(&now) && (open_in(store->folder_fd, &now, &package, &why) < 0 ||
                               rv_models_check(package, &why) < 0)) {
        rv_warning("the last good model cannot be used (%s); the built-in one speaks",
                   why ? why : "out of memory");
        rv_package_free(&package);
    }
    *ret_package = package;
    return 0;
}

int rv_model_store_take(const struct rv_model_store *store, const struct rv_sha256 *live,
                        struct rv_package **ret_package)
{
    RV_AUTO(rv_alias_free) struct rv_alias *alias = NULL;
    RV_AUTO(rv_package_free) struct rv_package *package = NULL;
    struct rv_sha256 now;
    int r;

    if (store->folder_fd < 0)
        return -ENOENT;
    r = rv_alias_open(&alias, store->folder_fd, RV_ALIAS_FILE, NULL);
    if (r < 0)
        return r;
    now = rv_alias_current(alias);
    if (memcmp(&now, live ? live : &built_in, sizeof(now)) == 0)
        return -EALREADY;
    if (!is_built_in(&now)) {
        r = open_in(store->folder_fd, &now, &package, NULL);
        if (r == 0)
            r = rv_models_check(package, NULL);
        if (r < 0)
            return r;
    }
    *ret_package = RV_TAKE(package);
    return 0;
}
