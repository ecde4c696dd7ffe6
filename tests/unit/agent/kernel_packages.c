/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_packages.h"

#include "base/fd.h"
#include "models/alias.h"
#include "packages.h"

#include <sys/stat.h>

struct rv_sha256 kernel_package_put(int dir_fd, int32_t from, enum kernel_package kind, mode_t mode)
{
    static const enum package_flaw kinds[] = {
        [KERNEL_PACKAGE_NOT] = PACKAGE_SOUND,
        [KERNEL_PACKAGE_ITSELF] = PACKAGE_FOR_KERNEL,
        [KERNEL_PACKAGE_CARRIES] = PACKAGE_CARRIES,
    };
    RV_AUTO(rv_package_free) struct rv_package *package = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    char name[RV_ALIAS_PACKAGE_NAME_MAX];
    struct rv_sha256 digest;

    make_package_bytes(RV_FEATURE_RENAMES, from, kinds[kind], &bytes);
    rv_assert_ok(rv_package_open(rv_buf_span(&bytes), &package, NULL));
    digest = rv_package_digest(package);
    rv_alias_package_name(&digest, name);
    rv_assert_ok(rv_write_file_atomic(dir_fd, name, bytes.data, bytes.len, mode));
    assert_int_equal(fchmodat(dir_fd, name, mode, 0), 0); /* whatever the umask is */
    return digest;
}

uint64_t kernel_package_carried(int32_t from)
{
    RV_AUTO(rv_package_free)
    struct rv_package *package = make_package(RV_FEATURE_RENAMES, from, PACKAGE_FOR_KERNEL);
    struct rv_sha256 digest = rv_package_digest(package);

    return rv_kernel_digest(&digest);
}

uint64_t kernel_package_digest(const struct rv_score_package *package)
{
    return package ? rv_score_package_candidate(package)->model.digest : 0;
}
