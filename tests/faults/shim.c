/* Counts a process's file operations below one folder, and makes one of them fail.
 *
 * A library to preload. Wrapping libc's functions would miss calls: some Rust crates (rustix, under
 * tempfile) ask the kernel directly. So a seccomp filter lets every system call that changes files, or
 * reads them, raise SIGSYS, whoever makes it; the handler decides, and makes the call itself from the
 * one address that the filter lets through.
 *
 *   FAULT_UNDER   the folder, absolute
 *   FAULT_LOG     gets a line a call: NUMBER NAME PATH
 *   FAULT_READS   if set, calls that read are counted, and those that write are not
 *   FAULT_AT      the number, from 1, of the call at which it happens; 0: nothing does
 *   FAULT_DO      kill   the process dies before the call
 *                 torn   it dies after the call, of which half was done if it writes
 *                 short  this call and all after it write half of what they are asked to
 *                 fail   the call fails with FAULT_ERRNO
 *                 stay   that one fails, and all later ones that take room on the disk
 *   FAULT_ERRNO   the error's number
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
__asm__(".globl shim_call\n.globl shim_called\n.text\n"
        "shim_call:\n"
        "  mov %rdi, %rax\n  mov %rsi, %rdi\n  mov %rdx, %rsi\n  mov %rcx, %rdx\n"
        "  mov %r8, %r10\n  mov %r9, %r8\n  mov 8(%rsp), %r9\n"
        "  syscall\nshim_called:\n  ret\n");
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
__asm__(".globl shim_call\n.globl shim_called\n.text\n"
        "shim_call:\n"
        "  mov x8, x0\n  mov x0, x1\n  mov x1, x2\n  mov x2, x3\n"
        "  mov x3, x4\n  mov x4, x5\n  mov x5, x6\n"
        "  svc #0\nshim_called:\n  ret\n");
#else
#error "this shim knows x86_64 and aarch64"
#endif
long shim_call(long nr, long a, long b, long c, long d, long e, long f);
extern char shim_called[];

/* Where a call says which file it is about. */
enum where { FD, PATH, AT };
enum kind {
    READ,  /* of a file */
    WRITE, /* bytes at 2nd, their number in 3rd argument */
    ROOM,  /* takes room on the disk */
    OTHER,
    OPEN,  /* one of the above by its flags */
};
struct known {
    int nr;
    const char *name;
    enum where where;
    /* The argument that holds the file or the folder it is in. */
    int argument;
    enum kind kind;
};
static const struct known KNOWN[] = {
#ifdef SYS_open
    {SYS_open, "open", PATH, 0, OPEN},
    {SYS_creat, "creat", PATH, 0, ROOM},
    {SYS_rename, "rename", PATH, 1, ROOM},
    {SYS_mkdir, "mkdir", PATH, 0, ROOM},
    {SYS_link, "link", PATH, 1, ROOM},
    {SYS_symlink, "symlink", PATH, 1, ROOM},
    {SYS_unlink, "unlink", PATH, 0, OTHER},
    {SYS_rmdir, "rmdir", PATH, 0, OTHER},
    {SYS_chmod, "chmod", PATH, 0, OTHER},
#endif
    {SYS_openat, "openat", AT, 0, OPEN},
    {SYS_renameat, "renameat", AT, 2, ROOM},
    {SYS_renameat2, "renameat2", AT, 2, ROOM},
    {SYS_mkdirat, "mkdirat", AT, 0, ROOM},
    {SYS_linkat, "linkat", AT, 2, ROOM},
    {SYS_symlinkat, "symlinkat", AT, 1, ROOM},
    {SYS_unlinkat, "unlinkat", AT, 0, OTHER},
    {SYS_fchmodat, "fchmodat", AT, 0, OTHER},
    {SYS_truncate, "truncate", PATH, 0, ROOM},
    {SYS_ftruncate, "ftruncate", FD, 0, ROOM},
    {SYS_fallocate, "fallocate", FD, 0, ROOM},
    {SYS_write, "write", FD, 0, WRITE},
    {SYS_pwrite64, "pwrite64", FD, 0, WRITE},
    {SYS_writev, "writev", FD, 0, ROOM},
    {SYS_pwritev, "pwritev", FD, 0, ROOM},
    {SYS_copy_file_range, "copy_file_range", FD, 2, ROOM},
    {SYS_sendfile, "sendfile", FD, 0, ROOM},
    {SYS_fsync, "fsync", FD, 0, ROOM},
    {SYS_fdatasync, "fdatasync", FD, 0, ROOM},
    {SYS_fchmod, "fchmod", FD, 0, OTHER},
    {SYS_read, "read", FD, 0, READ},
    {SYS_pread64, "pread64", FD, 0, READ},
    {SYS_readv, "readv", FD, 0, READ},
    {SYS_getdents64, "getdents64", FD, 0, READ},
};
enum { CALLS = sizeof KNOWN / sizeof *KNOWN };

static char under[PATH_MAX];
static size_t under_length;
static int log_file = -1;
static int reads;
static long at;
static long error_number;
static enum { KILL, TORN, SHORT, FAIL, STAY } what;
static long count;

static long call(long nr, long a, long b, long c, long d)
{
    return shim_call(nr, a, b, c, d, 0, 0);
}

/* The path behind a descriptor; false if it is none of a file's. */
static int path_of(int fd, char *path)
{
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = call(SYS_readlinkat, AT_FDCWD, (long)link, (long)path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
    return path[0] == '/';
}

/* The absolute path that a call is about, without any `.` or link followed. */
static int path_in(const struct known *known, const long *arguments, char *path)
{
    long first = arguments[known->argument];
    if (known->where == FD)
        return path_of((int)first, path);
    int folder = known->where == AT ? (int)first : AT_FDCWD;
    const char *name = (const char *)(known->where == AT ? arguments[known->argument + 1] : first);
    size_t used = 0;
    if (name[0] != '/') {
        if (folder == AT_FDCWD) {
            if (call(SYS_getcwd, (long)path, PATH_MAX, 0, 0) < 0)
                return 0;
        } else if (!path_of(folder, path)) {
            return 0;
        }
        used = strlen(path);
        path[used++] = '/';
    }
    if (used + strlen(name) >= PATH_MAX)
        return 0;
    strcpy(path + used, name);
    return 1;
}

static enum kind kind_of(const struct known *known, const long *arguments)
{
    if (known->kind != OPEN)
        return known->kind;
    long flags = arguments[known->where == AT ? 2 : 1];
    if (flags & (O_CREAT | O_TRUNC))
        return ROOM;
    return (flags & O_ACCMODE) == O_RDONLY ? READ : OTHER;
}

static void die(void)
{
    call(SYS_kill, call(SYS_getpid, 0, 0, 0, 0), SIGKILL, 0, 0);
    for (;;)
        ;
}

static long decide(const struct known *known, long *a)
{
    char path[PATH_MAX];
    enum kind kind = kind_of(known, a);
    int counted = (kind == READ) == reads && path_in(known, a, path) &&
                  strncmp(path, under, under_length) == 0 &&
                  (path[under_length] == '/' || path[under_length] == 0);
    if (!counted)
        return shim_call(known->nr, a[0], a[1], a[2], a[3], a[4], a[5]);

    long number = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    if (log_file >= 0) {
        char line[PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%ld %s %s\n", number, known->name, path);
        call(SYS_write, log_file, (long)line, length, 0);
    }
    int now = at > 0 && number == at;
    int later = at > 0 && number > at;
    if (now && what == KILL)
        die();
    if (now && (what == FAIL || what == STAY))
        return -error_number;
    if (later && what == STAY && (kind == ROOM || kind == WRITE))
        return -error_number;
    int halved = kind == WRITE && ((now && what == TORN) || ((now || later) && what == SHORT));
    if (halved && a[2] > 1)
        a[2] /= 2;
    long result = shim_call(known->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (now && what == TORN)
        die();
    return result;
}

static void handle(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    ucontext_t *user = context;
#if defined(__x86_64__)
    greg_t *r = user->uc_mcontext.gregs;
    long a[6] = {r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8], r[REG_R9]};
#else
    unsigned long long *r = user->uc_mcontext.regs;
    long a[6] = {r[0], r[1], r[2], r[3], r[4], r[5]};
#endif
    long result = -ENOSYS;
    for (int i = 0; i < CALLS; i++)
        if (KNOWN[i].nr == info->si_syscall)
            result = decide(&KNOWN[i], a);
#if defined(__x86_64__)
    r[REG_RAX] = result;
#else
    r[0] = result;
#endif
}

static long number_of(const char *name)
{
    const char *value = getenv(name);
    return value ? strtol(value, NULL, 10) : 0;
}

static void stop(const char *why)
{
    perror(why);
    _exit(99);
}

__attribute__((constructor)) static void begin(void)
{
    static const char *const WORDS[] = {"kill", "torn", "short", "fail", "stay"};
    const char *folder = getenv("FAULT_UNDER");
    if (!folder)
        return;
    strncpy(under, folder, sizeof under - 1);
    under_length = strlen(under);
    reads = getenv("FAULT_READS") != NULL;
    at = number_of("FAULT_AT");
    error_number = number_of("FAULT_ERRNO");
    const char *asked = getenv("FAULT_DO");
    for (int i = 0; asked && i < 5; i++)
        if (strcmp(WORDS[i], asked) == 0)
            what = i;
    const char *log = getenv("FAULT_LOG");
    if (log && (log_file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) < 0)
        stop("shim: FAULT_LOG");

    struct sigaction action = {0};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    if (sigaction(SIGSYS, &action, NULL))
        stop("shim: sigaction");

    struct sock_filter filter[8 + CALLS + 2];
    int n = 0;
    uintptr_t own = (uintptr_t)shim_called;
#define LOAD(field, more)                                                                        \
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,                          \
                                               offsetof(struct seccomp_data, field) + (more))
#define IF(value, yes, no)                                                                       \
    filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define END(value) filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, (value))
    LOAD(arch, 0);
    IF(ARCH, 0, 4 + 1 + CALLS); /* allowed */
    LOAD(instruction_pointer, 0);
    IF((uint32_t)own, 0, 2);
    LOAD(instruction_pointer, 4);
    IF((uint32_t)((uint64_t)own >> 32), 1 + CALLS, 0); /* allowed */
    LOAD(nr, 0);
    for (int i = 0; i < CALLS; i++)
        IF((uint32_t)KNOWN[i].nr, CALLS - i, 0); /* trapped */
    END(SECCOMP_RET_ALLOW);
    END(SECCOMP_RET_TRAP);
    struct sock_fprog program = {(unsigned short)n, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        stop("shim: seccomp");
}
