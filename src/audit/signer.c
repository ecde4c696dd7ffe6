/* SPDX-License-Identifier: Apache-2.0 */
/* Secret keys: the table that hides where they live, and the one that lives in a file. */
#include "audit/note.h"

#include "base/encode.h"
#include "base/fd.h"
#include "note_internal.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SKEY_PREFIX  "PRIVATE+KEY+"
#define KEY_FILE_MAX ((size_t)1024)

struct rv_signer {
    struct rv_note_key key;
    const struct rv_signer_ops *ops;
    void *context;
};

int rv_signer_new(struct rv_signer **ret_signer, const struct rv_note_key *key,
                  const struct rv_signer_ops *ops, void *context)
{
    struct rv_signer *signer = calloc(1, sizeof(*signer));

    if (!signer) {
        if (ops->free)
            ops->free(context);
        return -ENOMEM;
    }
    *signer = (struct rv_signer){ .key = *key, .ops = ops, .context = context };
    *ret_signer = signer;
    return 0;
}

void rv_signer_free(struct rv_signer **signer)
{
    if (!*signer)
        return;
    if ((*signer)->ops->free)
        (*signer)->ops->free((*signer)->context);
    free(*signer);
    *signer = NULL;
}

const struct rv_note_key *rv_signer_key(const struct rv_signer *signer)
{
    return &signer->key;
}

/* ---- The key in a file: an EVP_PKEY in memory ---- */

static int file_sign(void *context, struct rv_span message, uint8_t signature[RV_ED25519_SIG_LEN])
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    size_t len = RV_ED25519_SIG_LEN;
    bool made = digest && EVP_DigestSignInit(digest, NULL, NULL, NULL, context) == 1 &&
                EVP_DigestSign(digest, signature, &len, message.data, message.len) == 1 &&
                len == RV_ED25519_SIG_LEN;

    EVP_MD_CTX_free(digest);
    return made ? 0 : -EIO;
}

static void file_free(void *context)
{
    EVP_PKEY_free(context);
}

static const struct rv_signer_ops file_ops = { "file", file_sign, file_free };

static int signer_from_seed(struct rv_signer **ret_signer, const char *name, uint8_t algorithm,
                            const uint8_t seed[RV_ED25519_KEY_LEN])
{
    EVP_PKEY *secret =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, RV_ED25519_KEY_LEN);
    uint8_t public_key[RV_ED25519_KEY_LEN];
    size_t len = sizeof(public_key);
    struct rv_note_key key;
    int r = -ENOMEM;

    if (secret && EVP_PKEY_get_raw_public_key(secret, public_key, &len) == 1)
        r = rv_note_key_make(&key, name, (enum rv_note_algorithm)algorithm, public_key);
    if (r < 0) {
        EVP_PKEY_free(secret);
        return r;
    }
    return rv_signer_new(ret_signer, &key, &file_ops, secret);
}

int rv_signer_parse(struct rv_signer **ret_signer, struct rv_span skey)
{
    RV_AUTO(rv_signer_free) struct rv_signer *signer = NULL;
    char name[RV_NOTE_NAME_MAX + 1] = { 0 };
    size_t prefix = strlen(SKEY_PREFIX);
    struct rv_note_key_text parts;
    int r;

    while (skey.len > 0 && skey.data[skey.len - 1] == '\n')
        skey.len--;
    if (skey.len < prefix || memcmp(skey.data, SKEY_PREFIX, prefix) != 0)
        return -EBADMSG;
    r = rv_note_key_split(rv_span(skey.data + prefix, skey.len - prefix), &parts);
    if (r < 0)
        return -EBADMSG;
    memcpy(name, parts.name.data, parts.name.len);
    r = signer_from_seed(&signer, name, parts.algorithm, parts.material);
    OPENSSL_cleanse(parts.material, sizeof(parts.material));
    if (r < 0)
        return r == -EINVAL ? -EBADMSG : r;
    if (signer->key.id != parts.id)
        return -EBADMSG;
    *ret_signer = RV_TAKE(signer);
    return 0;
}

int rv_signer_load(struct rv_signer **ret_signer, int dir_fd, const char *path)
{
    RV_AUTO(rv_closep) int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char text[KEY_FILE_MAX];
    struct stat status;
    ssize_t len;
    int r;

    if (fd < 0 || fstat(fd, &status) < 0)
        return -errno;
    if (status.st_mode & (S_IRWXG | S_IRWXO))
        return -EPERM;
    len = read(fd, text, sizeof(text));
    if (len < 0)
        return -errno;
    r = rv_signer_parse(ret_signer, rv_span(text, (size_t)len));
    OPENSSL_cleanse(text, sizeof(text));
    return r;
}

/* ---- Making one ---- */

static int write_new_file(int dir_fd, const char *path, mode_t mode, struct rv_span text)
{
    RV_AUTO(rv_closep)
    int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    int r;

    if (fd < 0)
        return -errno;
    r = rv_write_all(fd, text.data, text.len);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (r < 0)
        (void)unlinkat(dir_fd, path, 0);
    return r;
}

static void format_secret(struct rv_buf *buf, const struct rv_note_key *key,
                          const uint8_t seed[RV_ED25519_KEY_LEN])
{
    uint8_t material[1 + RV_ED25519_KEY_LEN] = { (uint8_t)key->algorithm };

    memcpy(material + 1, seed, RV_ED25519_KEY_LEN);
    (void)rv_buf_reserve(buf, KEY_FILE_MAX); /* no realloc leaves a copy behind */
    rv_buf_addf(buf, SKEY_PREFIX "%s+%08x+", key->name, key->id);
    rv_base64_add(buf, rv_span(material, sizeof(material)));
    rv_buf_add_char(buf, '\n');
    OPENSSL_cleanse(material, sizeof(material));
}

int rv_signer_generate(int dir_fd, const char *path, const char *name,
                       enum rv_note_algorithm algorithm)
{
    RV_AUTO(rv_signer_free) struct rv_signer *signer = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf secret = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf vkey = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf vkey_path = { 0 };
    uint8_t seed[RV_ED25519_KEY_LEN];
    int r;

    if (RAND_priv_bytes(seed, sizeof(seed)) != 1)
        return -EIO;
    r = signer_from_seed(&signer, name, (uint8_t)algorithm, seed);
    if (r == 0)
        format_secret(&secret, &signer->key, seed);
    OPENSSL_cleanse(seed, sizeof(seed));
    if (r < 0)
        return r;
    rv_note_key_format(&vkey, &signer->key);
    rv_buf_add_char(&vkey, '\n');
    rv_buf_addf(&vkey_path, "%s.pub", path);
    if (secret.failed || vkey.failed || vkey_path.failed)
        return -ENOMEM;

    r = write_new_file(dir_fd, vkey_path.data, 0644, rv_buf_span(&vkey));
    if (r < 0)
        return r;
    r = write_new_file(dir_fd, path, 0600, rv_buf_span(&secret));
    OPENSSL_cleanse(secret.data, secret.len);
    if (r < 0)
        (void)unlinkat(dir_fd, vkey_path.data, 0);
    return r;
}

int rv_note_sign(struct rv_buf *buf, struct rv_span text, const struct rv_signer *signer,
                 uint64_t unix_s)
{
    RV_AUTO(rv_buf_done) struct rv_buf message = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf blob = { 0 };
    uint8_t signature[RV_ED25519_SIG_LEN];
    uint32_t id = htobe32(signer->key.id);
    int r;

    rv_buf_add(&blob, &id, sizeof(id));
    if (signer->key.algorithm == RV_NOTE_COSIGNATURE) {
        rv_note_cosigned_message(&message, text, unix_s);
        rv_buf_add_be64(&blob, unix_s);
    } else {
        rv_buf_add(&message, text.data, text.len);
    }
    if (message.failed)
        return -ENOMEM;
    r = signer->ops->sign(signer->context, rv_buf_span(&message), signature);
    if (r < 0)
        return r;
    rv_buf_add(&blob, signature, sizeof(signature));
    rv_buf_addf(buf, "\xe2\x80\x94 %s ", signer->key.name);
    rv_base64_add(buf, rv_buf_span(&blob));
    rv_buf_add_char(buf, '\n');
    return buf->failed || blob.failed ? -ENOMEM : 0;
}
