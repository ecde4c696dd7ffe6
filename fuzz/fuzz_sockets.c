/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of /proc/PID/net, where the names of unix sockets are anybody's: always JSON comes out. */
#include "act/sockets.h"

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const protocols[] = { "tcp", "udp", "unix", "packet" };
    uint64_t inodes[] = { 1, 7, 20001, 20002, 20003, 20004, 20005, 20006 };
    const struct rv_socket_inodes wanted = { inodes, RV_COUNT(inodes) };
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    RV_AUTO(rv_json_freep) json_t *sockets = NULL;
    char *text = malloc(len + 1);
    size_t count = 0;

    if (!text)
        abort();
    memcpy(text, data, len);
    text[len] = '\0';
    rv_buf_add_char(&buf, '[');
    for (size_t i = 0; i < RV_COUNT(protocols); i++)
        rv_sockets_add(&buf, text, (enum rv_socket_table)i, protocols[i], &wanted, &count, 100);
    rv_buf_add_char(&buf, ']');
    if (buf.failed || rv_json_parse(rv_buf_span(&buf), &sockets, NULL) < 0 ||
        json_array_size(sockets) != count || count > 100)
        abort();
    free(text);
    return 0;
}
