/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_model.h"

#include "base/fd.h"
#include "base/log.h"
#include "enforce/score_package.h"
#include "models/alias.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODEL_BYTES_MAX ((size_t)16 * 1024 * 1024)

/** Root's alone. What was looked at is what is read: the descriptor, not the name. */
static int open_trusted(const char *path, int *ret_fd, const char **reterr)
{
    RV_AUTO(rv_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        *reterr = strerror(errno);
        return -errno;
    }
    if (!S_ISREG(st.st_mode)) {
        *reterr = "it is not a file";
        return -EINVAL;
    }
    if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH))) {
        *reterr = "root must own it and nobody else may be able to write it";
        return -EPERM;
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}

/** @param digest the one that it must have; NULL: any. @return -ENODATA: it is not for the kernel.
 */
static int read_package(const char *path, const struct rv_sha256 *digest,
                        struct rv_score_package **ret_package, const char **reterr)
{
    RV_AUTO(rv_package_free) struct rv_package *package = NULL;
    RV_AUTO(rv_freep) char *bytes = NULL;
    RV_AUTO(rv_closep) int fd = -1;
    struct rv_sha256 found;
    char name[32];
    size_t len;
    int r = open_trusted(path, &fd, reterr);

    if (r < 0)
        return r;
    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    r = rv_read_file(AT_FDCWD, name, MODEL_BYTES_MAX, &bytes, &len);
    if (r < 0) {
        *reterr = strerror(-r);
        return r;
    }
    r = rv_package_open(rv_span(bytes, len), &package, reterr);
    if (r < 0)
        return r;
    found = rv_package_digest(package);
    if (digest && memcmp(&found, digest, sizeof(found)) != 0) {
        *reterr = "it is another package than the one that speaks";
        return -ESTALE;
    }
    r = rv_score_package_open(package, ret_package, reterr);
    return r == -ENOENT ? -ENODATA : r; /* of a file that is there */
}

/* ---- Pinned ---- */

static int open_one(const char *key, const char *path, struct rv_score_package **ret_package)
{
    const char *why = "?";
    int r = *path ? read_package(path, NULL, ret_package, &why) : 0;

    if (r < 0)
        rv_error("%s = %s cannot be used: %s", key, path, why);
    return r;
}

int rv_kernel_models_open(struct rv_kernel_models *ret_models, const struct rv_agent_config *config)
{
    struct rv_kernel_models models = { 0 };
    int r = 0;

    if (*config->kernel_shadow && !*config->kernel_model) {
        rv_error("kernel.shadow needs kernel.model: it scores beside it");
        return -EINVAL;
    }
    r = open_one("kernel.model", config->kernel_model, &models.live);
    if (r == 0)
        r = open_one("kernel.shadow", config->kernel_shadow, &models.shadow);
    if (r < 0) {
        rv_kernel_models_done(&models);
        return r;
    }
    if (models.live)
        models.live_why = RV_SLOT_PINNED;
    if (models.shadow)
        models.shadow_why = RV_SLOT_PINNED;
    models.may_follow = !models.live && *config->model;
    *ret_models = models;
    return 0;
}

void rv_kernel_models_done(struct rv_kernel_models *models)
{
    rv_score_package_free(&models->live);
    rv_score_package_free(&models->shadow);
}

/* ---- Following ---- */

static bool is_none(const struct rv_sha256 *digest)
{
    static const struct rv_sha256 none;

    return memcmp(digest, &none, sizeof(none)) == 0;
}

/** A package of that digest: the file itself, or what a folder keeps by that name. */
static int find_package(const char *place, const struct rv_sha256 *digest,
                        struct rv_score_package **ret_package, const char **reterr)
{
    RV_AUTO(rv_freep) char *path = NULL;
    char name[RV_ALIAS_PACKAGE_NAME_MAX];
    struct stat st;

    if (stat(place, &st) < 0 || !S_ISDIR(st.st_mode))
        return read_package(place, digest, ret_package, reterr);
    rv_alias_package_name(digest, name);
    if (asprintf(&path, "%s/%s", place, name) < 0) {
        path = NULL;
        *reterr = "out of memory";
        return -ENOMEM;
    }
    return read_package(path, digest, ret_package, reterr);
}

static void fill(struct rv_kernel_models *models, const char *place, const struct rv_sha256 *digest,
                 struct rv_score_package **slot, enum rv_kernel_slot_why *why)
{
    const char *said = "?";
    int r;

    rv_score_package_free(slot);
    *why = RV_SLOT_NO_MODEL;
    if (is_none(digest))
        return;
    r = find_package(place, digest, slot, &said);
    *why = r == 0 ? RV_SLOT_FOLLOWS : r == -ENODATA ? RV_SLOT_NO_HEAD : RV_SLOT_REFUSED;
    if (*why != RV_SLOT_REFUSED)
        return;
    models->error = r;
    rv_warning("the kernel does not follow the model that %s: %s",
               slot == &models->live ? "speaks" : "stands in the shadow", said);
}

bool rv_kernel_models_follow(struct rv_kernel_models *models, const struct rv_agent_config *config,
                             const struct rv_channel_model *model)
{
    if (!models->may_follow)
        return false;
    models->error = 0;
    fill(models, config->model, &model->live, &models->live, &models->live_why);
    fill(models, config->model_shadow, &model->shadow, &models->shadow, &models->shadow_why);
    return true;
}

void rv_kernel_models_refuse(struct rv_kernel_models *models, int error)
{
    rv_score_package_free(&models->live);
    rv_score_package_free(&models->shadow);
    models->live_why = RV_SLOT_REFUSED;
    models->error = error;
}
