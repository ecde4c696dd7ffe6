/* SPDX-License-Identifier: Apache-2.0 */
/* Signed notes and their public keys. Secret keys are in signer.c. */
#include "audit/note.h"

#include "base/encode.h"
#include "base/hash.h"
#include "note_internal.h"

#include <endian.h>
#include <openssl/evp.h>

#define EM_DASH "\xe2\x80\x94"

static bool is_unicode_space(const uint8_t *at, size_t len)
{
    static const char *const spaces[] = {
        "\t",           "\n",           "\v",
        "\f",           "\r",           " ",
        "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80",
        "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82",
        "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85",
        "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
        "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
        "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f",
        "\xe3\x80\x80",
    };

    for (size_t i = 0; i < RV_COUNT(spaces); i++) {
        if (rv_span_eq(rv_span(at, len), rv_span_str(spaces[i])))
            return true;
    }
    return false;
}

static bool is_note_utf8(struct rv_span text)
{
    for (size_t i = 0; i < text.len;) {
        size_t len = rv_utf8_sequence(text.data + i, text.len - i);

        if (len == 0 || (text.data[i] < 0x20 && text.data[i] != '\n'))
            return false;
        i += len;
    }
    return true;
}

bool rv_note_name_valid(struct rv_span name)
{
    if (name.len == 0 || name.len > RV_NOTE_NAME_MAX || !is_note_utf8(name))
        return false;
    for (size_t i = 0; i < name.len;) {
        size_t len = rv_utf8_sequence(name.data + i, name.len - i);

        if (name.data[i] == '+' || is_unicode_space(name.data + i, len))
            return false;
        i += len;
    }
    return true;
}

/* ---- Public keys ---- */

static uint32_t key_id(const char *name, uint8_t algorithm, const uint8_t *public_key)
{
    const struct rv_span parts[] = {
        rv_span_str(name),
        rv_span("\n", 1),
        rv_span(&algorithm, 1),
        rv_span(public_key, RV_ED25519_KEY_LEN),
    };
    struct rv_sha256 digest = rv_sha256_parts(parts, RV_COUNT(parts));
    struct rv_reader reader = rv_reader(rv_span(digest.bytes, 4));

    return rv_read_be32(&reader);
}

int rv_note_key_make(struct rv_note_key *ret_key, const char *name,
                     enum rv_note_algorithm algorithm, const uint8_t public_key[RV_ED25519_KEY_LEN])
{
    struct rv_note_key key = { .algorithm = algorithm };

    if (!rv_note_name_valid(rv_span_str(name)) ||
        (algorithm != RV_NOTE_ED25519 && algorithm != RV_NOTE_COSIGNATURE))
        return -EINVAL;
    memcpy(key.name, name, strlen(name) + 1);
    memcpy(key.public_key, public_key, RV_ED25519_KEY_LEN);
    key.id = key_id(name, (uint8_t)algorithm, public_key);
    *ret_key = key;
    return 0;
}

int rv_note_key_split(struct rv_span text, struct rv_note_key_text *ret_parts)
{
    RV_AUTO(rv_buf_done) struct rv_buf id = { .len_max = 4 };
    RV_AUTO(rv_buf_done) struct rv_buf material = { .len_max = 1 + RV_ED25519_KEY_LEN };
    struct rv_note_key_text parts = { 0 };
    const uint8_t *plus = memchr(text.data, '+', text.len);
    struct rv_reader reader;

    if (!plus)
        return -EINVAL;
    parts.name = rv_span(text.data, (size_t)(plus - text.data));
    text = rv_span(plus + 1, text.len - parts.name.len - 1);
    if (!rv_note_name_valid(parts.name) || text.len < 9 || text.data[8] != '+')
        return -EINVAL;
    if (rv_hex_decode(&id, rv_span(text.data, 8)) < 0 ||
        rv_base64_decode(&material, rv_span(text.data + 9, text.len - 9)) < 0 ||
        material.len != 1 + RV_ED25519_KEY_LEN)
        return -EINVAL;
    reader = rv_reader(rv_buf_span(&id));
    parts.id = rv_read_be32(&reader);
    parts.algorithm = (uint8_t)material.data[0];
    memcpy(parts.material, material.data + 1, sizeof(parts.material));
    *ret_parts = parts;
    return 0;
}

static struct rv_span trim(struct rv_span text)
{
    while (text.len > 0 && strchr(" \t\n", text.data[0]) && text.data[0])
        text = rv_span(text.data + 1, text.len - 1);
    while (text.len > 0 && strchr(" \t\n", text.data[text.len - 1]) && text.data[text.len - 1])
        text.len--;
    return text;
}

int rv_note_key_parse(struct rv_note_key *ret_key, struct rv_span vkey)
{
    char name[RV_NOTE_NAME_MAX + 1] = { 0 };
    struct rv_note_key_text parts;
    struct rv_note_key key;
    int r;

    r = rv_note_key_split(trim(vkey), &parts);
    if (r < 0)
        return r;
    memcpy(name, parts.name.data, parts.name.len);
    r = rv_note_key_make(&key, name, (enum rv_note_algorithm)parts.algorithm, parts.material);
    if (r < 0)
        return r;
    if (key.id != parts.id)
        return -EINVAL;
    *ret_key = key;
    return 0;
}

void rv_note_key_format(struct rv_buf *buf, const struct rv_note_key *key)
{
    uint8_t material[1 + RV_ED25519_KEY_LEN] = { (uint8_t)key->algorithm };

    memcpy(material + 1, key->public_key, RV_ED25519_KEY_LEN);
    rv_buf_addf(buf, "%s+%08x+", key->name, key->id);
    rv_base64_add(buf, rv_span(material, sizeof(material)));
}

/* ---- Notes ---- */

void rv_note_cosigned_message(struct rv_buf *buf, struct rv_span text, uint64_t unix_s)
{
    rv_buf_addf(buf, "cosignature/v1\ntime %llu\n", (unsigned long long)unix_s);
    rv_buf_add(buf, text.data, text.len);
}

static int parse_signature(struct rv_span line, struct rv_note_signature *ret_signature)
{
    RV_AUTO(rv_buf_done) struct rv_buf blob = { 0 };
    struct rv_note_signature signature = { .line = line };
    size_t prefix = strlen(EM_DASH " ");
    const uint8_t *space;
    struct rv_reader reader;

    if (line.len < prefix + 1 || memcmp(line.data, EM_DASH " ", prefix) != 0)
        return -EBADMSG;
    line = rv_span(line.data + prefix, line.len - prefix - 1); /* without the newline */
    space = memchr(line.data, ' ', line.len);
    if (!space)
        return -EBADMSG;
    signature.name = rv_span(line.data, (size_t)(space - line.data));
    line = rv_span(space + 1, line.len - signature.name.len - 1);
    if (!rv_note_name_valid(signature.name) || rv_base64_decode(&blob, line) < 0 || blob.len < 5)
        return -EBADMSG;
    reader = rv_reader(rv_buf_span(&blob));
    signature.id = rv_read_be32(&reader);
    signature.blob_len = reader.rest.len;
    memcpy(signature.blob, reader.rest.data, rv_min_u64(reader.rest.len, sizeof(signature.blob)));
    *ret_signature = signature;
    return 0;
}

/** Offset of the first signature line: after the last blank line. 0: there is none. */
static size_t signatures_at(struct rv_span bytes)
{
    for (size_t i = bytes.len; i >= 2; i--) {
        if (bytes.data[i - 1] == '\n' && bytes.data[i - 2] == '\n')
            return i;
    }
    return 0;
}

int rv_note_parse_signatures(struct rv_note *note, struct rv_span lines)
{
    while (lines.len > 0) {
        const uint8_t *end = memchr(lines.data, '\n', lines.len);
        size_t len;
        int r;

        if (!end || note->signature_count == RV_NOTE_SIGNATURES_MAX)
            return -EBADMSG;
        len = (size_t)(end - lines.data) + 1;
        r = parse_signature(rv_span(lines.data, len), &note->signatures[note->signature_count]);
        if (r < 0)
            return r;
        note->signature_count++;
        lines = rv_span(lines.data + len, lines.len - len);
    }
    return 0;
}

int rv_note_parse(struct rv_note *ret_note, struct rv_span bytes)
{
    size_t at;
    int r;

    if (bytes.len > RV_NOTE_LEN_MAX || !is_note_utf8(bytes))
        return -EBADMSG;
    at = signatures_at(bytes);
    if (at == 0 || at == bytes.len)
        return -EBADMSG;
    ret_note->text = rv_span(bytes.data, at - 1);
    ret_note->signature_count = 0;
    r = rv_note_parse_signatures(ret_note, rv_span(bytes.data + at, bytes.len - at));
    if (r < 0)
        ret_note->signature_count = 0;
    return r;
}

static bool ed25519_verify(const uint8_t *public_key, struct rv_span message,
                           const uint8_t *signature)
{
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, RV_ED25519_KEY_LEN);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool valid =
        key && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
        EVP_DigestVerify(context, signature, RV_ED25519_SIG_LEN, message.data, message.len) == 1;

    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return valid;
}

static bool cosignature_valid(const struct rv_note_signature *signature, struct rv_span text,
                              const struct rv_note_key *key)
{
    RV_AUTO(rv_buf_done) struct rv_buf message = { 0 };
    struct rv_reader reader = rv_reader(rv_span(signature->blob, 8));
    uint64_t unix_s = rv_read_be64(&reader);

    if (signature->blob_len != 8 + RV_ED25519_SIG_LEN || unix_s > INT64_MAX)
        return false;
    rv_note_cosigned_message(&message, text, unix_s);
    return !message.failed &&
           ed25519_verify(key->public_key, rv_buf_span(&message), signature->blob + 8);
}

static bool signature_valid(const struct rv_note_signature *signature, struct rv_span text,
                            const struct rv_note_key *key)
{
    switch (key->algorithm) {
    case RV_NOTE_ED25519:
        return signature->blob_len == RV_ED25519_SIG_LEN &&
               ed25519_verify(key->public_key, text, signature->blob);
    case RV_NOTE_COSIGNATURE:
        return cosignature_valid(signature, text, key);
    case RV_NOTE_NONE:
        break;
    }
    return false;
}

enum rv_note_finding rv_note_check(const struct rv_note *note, const struct rv_note_key *keys,
                                   size_t key_count, uint64_t *ret_signed_by)
{
    uint64_t signed_by = 0;

    assert(key_count <= 64);
    for (size_t i = 0; i < note->signature_count; i++) {
        const struct rv_note_signature *signature = &note->signatures[i];

        for (size_t k = 0; k < key_count; k++) {
            if (keys[k].id != signature->id ||
                !rv_span_eq(signature->name, rv_span_str(keys[k].name)))
                continue;
            if (!signature_valid(signature, note->text, &keys[k]))
                return RV_NOTE_BAD;
            signed_by |= (uint64_t)1 << k;
        }
    }
    if (ret_signed_by)
        *ret_signed_by = signed_by;
    return signed_by ? RV_NOTE_GOOD : RV_NOTE_UNSIGNED;
}
