/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include "base/fd.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_SECONDS 10
#define LINE_MAX_BYTES ((size_t)1024 * 1024)

struct rv_client {
    int fd;
    struct rv_buf in;
    size_t at; /* where the next line begins in `in` */
};

static int refuse(const char *path, int error)
{
    if (error == ENOENT || error == ECONNREFUSED)
        fprintf(stderr, "no agent answers on %s; start it with 'reeve-agent' or 'make run'\n",
                path);
    else if (error == EACCES)
        fprintf(stderr,
                "you may not talk to the agent on %s; use sudo, or join the group that "
                "'group' names in reeve-agent.conf\n",
                path);
    else
        fprintf(stderr, "cannot reach the agent on %s: %s\n", path, strerror(error));
    return -error;
}

int rv_client_open(struct rv_client **ret_client, const char *path, const json_t *request)
{
    RV_AUTO(rv_client_free) struct rv_client *client = calloc(1, sizeof(*client));
    RV_AUTO(rv_closep) int fd = -1;
    RV_AUTO(rv_freep) char *text = json_dumps(request, JSON_COMPACT);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    static const struct timeval patience = { ANSWER_SECONDS, 0 };
    int r;

    if (!client || !text)
        return -ENOMEM;
    client->fd = -1;
    if (!path)
        path = getenv("REEVE_SOCKET");
    if (!path)
        path = RV_CONTROL_SOCKET;
    if (strlen(path) >= sizeof(address.sun_path))
        return refuse(path, ENAMETOOLONG);
    strcpy(address.sun_path, path);

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* A judge that is just being started again answers late, not never. */
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return refuse(path, errno);
    r = rv_write_all(fd, text, strlen(text));
    if (r == 0)
        r = rv_write_all(fd, "\n", 1);
    if (r < 0)
        return refuse(path, -r);
    client->in.len_max = LINE_MAX_BYTES;
    client->fd = rv_take_fd(&fd);
    *ret_client = RV_TAKE(client);
    return 0;
}

void rv_client_free(struct rv_client **client)
{
    if (!*client)
        return;
    rv_closep(&(*client)->fd);
    rv_buf_done(&(*client)->in);
    free(*client);
    *client = NULL;
}

int rv_client_fd(const struct rv_client *client)
{
    return client->fd;
}

/** The end of the next whole line, or NULL. */
static char *line_end(const struct rv_client *client)
{
    if (client->in.len == client->at)
        return NULL;
    return memchr(client->in.data + client->at, '\n', client->in.len - client->at);
}

bool rv_client_pending(const struct rv_client *client)
{
    return line_end(client) != NULL;
}

static int read_more(struct rv_client *client)
{
    char chunk[4096];
    ssize_t n;

    if (client->at > 0) {
        memmove(client->in.data, client->in.data + client->at, client->in.len - client->at);
        client->in.len -= client->at;
        client->at = 0;
    }
    do {
        n = read(client->fd, chunk, sizeof(chunk));
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return -ETIMEDOUT;
    if (n <= 0)
        return -EPIPE;
    rv_buf_add(&client->in, chunk, (size_t)n);
    return client->in.failed ? -EBADMSG : 0;
}

int rv_client_next(struct rv_client *client, json_t **ret_line, const char **ret_text)
{
    char *end, *line;

    while (!(end = line_end(client))) {
        int r = read_more(client);

        if (r < 0)
            return r;
    }
    *end = '\0';
    line = client->in.data + client->at;
    client->at = (size_t)(end - client->in.data) + 1;
    if (ret_text)
        *ret_text = line;
    return rv_json_parse(rv_span_str(line), ret_line, NULL) < 0 ? -EBADMSG : 0;
}

int rv_client_ask(const char *path, json_t *request, json_t **ret_answer, char **ret_text)
{
    RV_AUTO(rv_client_free) struct rv_client *client = NULL;
    RV_AUTO(rv_json_freep) json_t *owned = request;
    RV_AUTO(rv_json_freep) json_t *answer = NULL;
    const char *text = NULL, *error;
    int r = request ? rv_client_open(&client, path, request) : -ENOMEM;

    if (r < 0)
        return r;
    r = rv_client_next(client, &answer, &text);
    if (r < 0) {
        fprintf(stderr, "%s\n",
                r == -ETIMEDOUT ? "the agent does not answer; 'reeve status' may say more"
                                : "the agent ended before it answered");
        return r;
    }
    error = json_string_value(json_object_get(answer, "error"));
    if (error) {
        fprintf(stderr, "%s\n", error);
        return -EREMOTEIO;
    }
    if (ret_text && !(*ret_text = strdup(text)))
        return -ENOMEM;
    *ret_answer = RV_TAKE(answer);
    return 0;
}
