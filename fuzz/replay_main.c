/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over its corpus as an ordinary test, without libFuzzer: every file of the
 * folder as it is, cut short at many lengths, and with single bytes changed. Prints TAP.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX ((size_t)1 << 20)
#define CHANGES        400

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A copy of exactly `len` bytes, so that a sanitizer sees a read past its end. */
static void run_copy(const uint8_t *data, size_t len)
{
    uint8_t *copy = calloc(1, len ? len : 1);

    if (!copy)
        abort();
    memcpy(copy, data, len);
    (void)LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static void run_variants(uint8_t *data, size_t len)
{
    uint64_t state = 0x9e3779b97f4a7c15ULL;

    run_copy(data, len);
    for (size_t i = 0; i < 64; i++)
        run_copy(data, len * i / 64);
    for (size_t i = 0; len > 0 && i < CHANGES; i++) {
        size_t at;
        uint8_t before;

        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        at = (size_t)(state >> 33) % len;
        before = data[at];
        if (i % 4 == 0)
            data[at] ^= (uint8_t)(1U << (state >> 29 & 7));
        else
            data[at] = (uint8_t)(state >> 21);
        run_copy(data, len);
        if (i % 3) /* every third change stays, so that changes meet */
            data[at] = before;
    }
}

static void run_file(const char *path)
{
    FILE *from = fopen(path, "rb");
    uint8_t *data = malloc(FILE_BYTES_MAX);
    size_t len;

    if (!from || !data)
        abort();
    len = fread(data, 1, FILE_BYTES_MAX, from);
    (void)fclose(from);
    run_variants(data, len);
    free(data);
}

int main(int argc, char **argv)
{
    DIR *folder = argc > 1 ? opendir(argv[1]) : NULL;
    struct dirent *entry;
    unsigned count = 0;

    run_copy((const uint8_t *)"", 0);
    while (folder && (entry = readdir(folder))) {
        char path[4096];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        run_file(path);
        printf("ok %u - %s\n", ++count, entry->d_name);
    }
    if (folder)
        (void)closedir(folder);
    if (count == 0)
        printf("ok %u - empty input\n", ++count);
    printf("1..%u\n", count);
    return 0;
}
