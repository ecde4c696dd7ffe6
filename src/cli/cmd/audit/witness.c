/* SPDX-License-Identifier: Apache-2.0 */
/* reeve audit witness: ask a policy's witnesses to cosign a log, or be a witness oneself. */
#include "log.h"

#include "audit/http.h"
#include "audit/witness.h"
#include "base/fd.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Asking ---- */

struct asking {
    struct audit_log log;
    struct rv_buf lines; /* cosignatures that hold */
    unsigned refused;    /* witnesses that say this log contradicts what they saw */
};

static int post(struct asking *asking, const struct rv_policy_witness *witness, uint64_t old_size,
                int *ret_status, struct rv_buf *ret_answer)
{
    struct rv_witness_request request = { .old_size = old_size,
                                          .checkpoint = rv_buf_span(&asking->log.note) };
    RV_AUTO(rv_buf_done) struct rv_buf body = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf url = { 0 };
    size_t len = strlen(witness->url);
    int r = rv_tiles_prove_consistency(asking->log.tiles, old_size,
                                       asking->log.checkpoint.head.size, &request.proof);

    if (r < 0)
        return r;
    rv_witness_request_format(&body, &request);
    rv_buf_addf(&url, "%s%sadd-checkpoint", witness->url,
                len > 0 && witness->url[len - 1] == '/' ? "" : "/");
    if (body.failed || url.failed)
        return -ENOMEM;
    rv_buf_clear(ret_answer);
    return rv_http_post(url.data, rv_buf_span(&body), ret_status, ret_answer);
}

/** Ask from nothing; a witness that has seen more says how much, and is asked from there. */
static int ask(struct asking *asking, const struct rv_policy_witness *witness)
{
    uint64_t size = asking->log.checkpoint.head.size, old_size = 0;
    RV_AUTO(rv_buf_done) struct rv_buf answer = { 0 };
    struct rv_span rest, line;
    int status = 0;
    int r = post(asking, witness, 0, &status, &answer);

    if (r == 0 && status == 409) {
        rest = rv_buf_span(&answer);
        if (rv_line_take(&rest, &line) < 0 || rv_size_parse(&old_size, line) < 0)
            return -EPROTO;
        if (old_size > size || old_size == 0)
            return -ENOTUNIQ;
        r = post(asking, witness, old_size, &status, &answer);
    }
    if (r < 0)
        return r;
    if (status == 409 || status == 422)
        return -ENOTUNIQ;
    if (status == 403 || status == 404)
        return -EACCES;
    if (status != 200)
        return -EPROTO;
    return rv_witness_accept(&asking->lines, rv_buf_span(&answer), rv_buf_span(&asking->log.note),
                             &witness->key);
}

static const char *why_not(int code)
{
    switch (code) {
    case -ENOTUNIQ:
        return "REFUSED: this log contradicts what the witness saw before (a fork or a rollback)";
    case -EACCES:
        return "does not witness this log, or not under this key";
    case -EPROTO:
        return "answered something that is not the protocol";
    case -EBADMSG:
        return "answered without a good cosignature by its key";
    default:
        return strerror(-code);
    }
}

static bool has_cosigned(const struct asking *asking, const struct rv_note_key *key)
{
    RV_AUTO(rv_freep) struct rv_note *note = calloc(1, sizeof(*note));

    return note && rv_note_parse(note, rv_buf_span(&asking->log.note)) == 0 &&
           rv_note_check(note, key, 1, NULL) == RV_NOTE_GOOD;
}

static void ask_all(struct asking *asking, const struct rv_log_policy *policy)
{
    for (size_t i = 0; i < rv_log_policy_witness_count(policy); i++) {
        const struct rv_policy_witness *witness = rv_log_policy_witness(policy, i);
        int r = -EDESTADDRREQ;

        if (has_cosigned(asking, &witness->key))
            r = 0;
        else if (witness->url[0])
            r = ask(asking, witness);
        printf("%s: %s\n", witness->key.name, r == 0 ? "cosigned" : why_not(r));
        asking->refused += r == -ENOTUNIQ ? 1 : 0;
    }
}

/** Put the cosigned checkpoint where it is served, unless a writer holds the log or it moved on. */
static int put_cosigned(const char *dir, const char *output, const struct rv_buf *before,
                        const struct rv_buf *cosigned)
{
    struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    RV_AUTO(rv_closep) int dir_fd = -1;
    RV_AUTO(rv_closep) int lock_fd = -1;
    RV_AUTO(rv_freep) char *now = NULL;
    size_t len = 0;
    int r;

    if (output)
        return rv_write_file_atomic(AT_FDCWD, output, cosigned->data, cosigned->len, 0644);
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    lock_fd = dir_fd < 0 ? -1 : openat(dir_fd, ".state/lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (lock_fd < 0)
        return -errno;
    if (fcntl(lock_fd, F_OFD_SETLK, &whole_file) < 0)
        return -EBUSY;
    r = rv_read_file(dir_fd, RV_CHECKPOINT_PATH, RV_NOTE_LEN_MAX, &now, &len);
    if (r == 0 && !rv_span_eq(rv_span(now, len), rv_buf_span(before)))
        r = -ESTALE;
    return r < 0 ? r
                 : rv_write_file_atomic(dir_fd, RV_CHECKPOINT_PATH, cosigned->data, cosigned->len,
                                        0644);
}

static int judge(struct asking *asking, const struct rv_log_policy *policy,
                 const struct audit_keys *keys, const char *where, const char *output)
{
    RV_AUTO(rv_buf_done) struct rv_buf cosigned = { 0 };
    enum rv_quorum quorum = RV_QUORUM_MISSING;
    struct rv_clock clock = rv_clock_system();
    struct rv_checkpoint checkpoint;
    int r;

    rv_buf_add(&cosigned, asking->log.note.data, asking->log.note.len);
    rv_buf_add(&cosigned, asking->lines.data, asking->lines.len);
    r = cosigned.failed
            ? -ENOMEM
            : rv_log_policy_judge(policy, rv_buf_span(&cosigned), keys->keys, keys->count,
                                  clock.unix_ns(clock.context) / RV_NS_PER_S, &quorum, &checkpoint);
    if (r == 0 && asking->lines.len > 0)
        r = put_cosigned(where, output, &asking->log.note, &cosigned);
    if (r == -EBUSY)
        fprintf(stderr, "reeve: a program writes this log; keep the cosigned checkpoint elsewhere "
                        "with -o FILE\n");
    else if (r < 0)
        fprintf(stderr, "reeve: cannot keep the cosigned checkpoint: %s\n", strerror(-r));
    if (r < 0)
        return RV_EXIT_ERROR;
    printf(quorum == RV_QUORUM_REACHED ? "the policy's quorum is reached\n"
                                       : "the policy's quorum is NOT reached\n");
    return quorum == RV_QUORUM_REACHED && asking->refused == 0 ? RV_EXIT_YES : RV_EXIT_NO;
}

static int ask_for(const char *where, const char *policy_path, const struct audit_keys *keys,
                   const char *output)
{
    RV_AUTO(rv_log_policy_free) struct rv_log_policy *policy = NULL;
    struct asking asking = { 0 };
    int result = RV_EXIT_ERROR;

    if (audit_load_policy(&policy, policy_path) == 0 &&
        audit_log_open(&asking.log, where, keys) == 0) {
        ask_all(&asking, policy);
        result = judge(&asking, policy, keys, where, output);
    }
    audit_log_done(&asking.log);
    rv_buf_done(&asking.lines);
    return result;
}

/* ---- Being one ---- */

static int listen_on(const char *address)
{
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                              .ai_socktype = SOCK_STREAM };
    const char *colon = strrchr(address, ':');
    struct addrinfo *found = NULL;
    RV_AUTO(rv_closep) int fd = -1;
    char host[64] = "";
    int on = 1;

    if (!colon || colon == address || (size_t)(colon - address) >= sizeof(host))
        return -EINVAL;
    memcpy(host, address, (size_t)(colon - address));
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return -EINVAL;
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, 64) < 0) {
        freeaddrinfo(found);
        return -errno;
    }
    freeaddrinfo(found);
    return rv_take_fd(&fd);
}

/** Which address was it in the end: port 0 lets the kernel choose. */
static void print_address(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    char host[64], port[16];

    if (getsockname(fd, (struct sockaddr *)&address, &len) == 0 &&
        getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        printf("witnessing on http://%s:%s/\n", host, port);
    (void)fflush(stdout);
}

static int serve(struct rv_witness *witness, const char *address)
{
    RV_AUTO(rv_witness_server_free) struct rv_witness_server *server = NULL;
    int fd = listen_on(address), r;

    if (fd < 0) {
        fprintf(stderr, "reeve: cannot listen on %s: %s\n", address, strerror(-fd));
        return RV_EXIT_ERROR;
    }
    print_address(fd);
    r = rv_witness_server_new(&server, fd, witness);
    if (r == 0)
        r = rv_witness_server_run(server);
    if (r < 0)
        fprintf(stderr, "reeve: the witness ends: %s\n", strerror(-r));
    return r < 0 ? RV_EXIT_ERROR : RV_EXIT_YES;
}

static int open_witness(struct rv_witness **ret_witness, const char *state_dir,
                        const struct rv_signer *signer, const struct audit_keys *logs)
{
    RV_AUTO(rv_witness_free) struct rv_witness *witness = NULL;
    RV_AUTO(rv_closep) int fd = -1;
    int r = 0;

    if (mkdir(state_dir, 0700) == 0 || errno == EEXIST)
        fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = fd < 0 ? -errno : rv_witness_open(&witness, fd, signer, rv_clock_system());
    for (size_t i = 0; r == 0 && i < logs->count; i++)
        r = rv_witness_add_log(witness, &logs->keys[i]);
    if (r == -EINVAL)
        fprintf(stderr, "reeve: a witness needs a key made by 'reeve audit keygen --witness', and "
                        "logs' keys made without\n");
    else if (r < 0)
        fprintf(stderr, "reeve: cannot use %s: %s\n", state_dir,
                r == -EBUSY ? "another witness does" : strerror(-r));
    if (r == 0)
        *ret_witness = RV_TAKE(witness);
    return r;
}

static int be_witness(const char *address, const char *key_path, const char *state_dir,
                      const struct audit_keys *logs)
{
    RV_AUTO(rv_signer_free) struct rv_signer *signer = NULL;
    RV_AUTO(rv_witness_free) struct rv_witness *witness = NULL;
    int r;

    if (!key_path || !state_dir || logs->count == 0) {
        fprintf(stderr,
                "reeve: a witness needs --witness-key KEY, --state DIR and --key LOG.pub\n");
        return RV_EXIT_ERROR;
    }
    r = rv_signer_load(&signer, AT_FDCWD, key_path);
    if (r < 0) {
        fprintf(stderr, "reeve: cannot use the key %s: %s\n", key_path,
                r == -EPERM ? "others may read it; chmod 600 it" : strerror(-r));
        return RV_EXIT_ERROR;
    }
    r = open_witness(&witness, state_dir, signer, logs);
    return r < 0 ? RV_EXIT_ERROR : serve(witness, address);
}

int cmd_audit_witness(int argc, char **argv)
{
    const char *address = NULL, *key_path = NULL, *state_dir = NULL, *policy = NULL, *output = NULL;
    struct rv_option_list log_paths = { 0 };
    bool help = false;
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 'w', "policy", "FILE", "ask the witnesses of this tlog-policy", &policy,
          0, 0 },
        { RV_OPTION_STRING, 'o', "output", "FILE",
          "write the cosigned checkpoint here, not into the log", &output, 0, 0 },
        { RV_OPTION_STRING, 'l', "listen", "ADDRESS:PORT", "be a witness, at this address",
          &address, 0, 0 },
        { RV_OPTION_STRING, 0, "witness-key", "KEY", "the key to cosign with (keygen --witness)",
          &key_path, 0, 0 },
        { RV_OPTION_STRING, 's', "state", "DIR", "where a witness keeps what it cosigned",
          &state_dir, 0, 0 },
        { RV_OPTION_LIST, 'k', "key", "LOG.pub", "key of a log; a witness may have many",
          &log_paths, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "say this", &help, 0, 0 },
        { 0 },
    };
    int operands = 0, result = RV_EXIT_ERROR;
    struct audit_keys logs;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help) {
        audit_help(
            "witness",
            "[DIR] --policy FILE [-o FILE] | --listen ADDRESS:PORT --witness-key KEY --state "
            "DIR --key LOG.pub",
            "Have a log's checkpoint cosigned, or cosign those of others", options);
        result = RV_EXIT_YES;
    } else if (audit_load_keys(&logs, &log_paths) == 0) {
        if (address)
            result = be_witness(address, key_path, state_dir, &logs);
        else if (policy)
            result = ask_for(operands > 0 ? argv[1] : AUDIT_DEFAULT_LOG, policy, &logs, output);
        else
            fprintf(stderr, "reeve: say --policy FILE to ask, or --listen ADDRESS:PORT to serve\n");
    }
    free(log_paths.items);
    return result;
}
