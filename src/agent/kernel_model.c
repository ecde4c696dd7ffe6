/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_model.h"

#include "base/fd.h"
#include "base/log.h"
#include "enforce/score_package.h"

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

static int read_package(const char *path, struct rv_score_package **ret_package,
                        const char **reterr)
{
    RV_AUTO(rv_package_free) struct rv_package *package = NULL;
    RV_AUTO(rv_freep) char *bytes = NULL;
    RV_AUTO(rv_closep) int fd = -1;
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
    return r < 0 ? r : rv_score_package_open(package, ret_package, reterr);
}

static int open_one(const char *key, const char *path, struct rv_score_package **ret_package)
{
    const char *why = "?";
    int r = *path ? read_package(path, ret_package, &why) : 0;

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
    *ret_models = models;
    return 0;
}

void rv_kernel_models_done(struct rv_kernel_models *models)
{
    rv_score_package_free(&models->live);
    rv_score_package_free(&models->shadow);
}
