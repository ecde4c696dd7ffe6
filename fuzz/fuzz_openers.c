/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc says of a process that opens a file: it chooses its own name and arguments. */
#include "facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fan_facts facts = { 0 };
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (rv_fan_parse_status(text, &facts) && !memchr(facts.comm, '\0', sizeof(facts.comm)))
        abort();
    if (rv_fan_open_mode(text) & ~(uint32_t)(RV_DO_EXEC | RV_DO_READ | RV_DO_WRITE))
        abort();
    free(text);
    return 0;
}
