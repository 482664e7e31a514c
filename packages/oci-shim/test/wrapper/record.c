/* Stands in for runc and crun: writes what it was started with beside itself, to NAME.record, and ends as its last word says (exit:7, die:9). */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum { MOST_FDS = 4096, PATH_ROOM = 4096 };

static void
tell(FILE *file, const char *key, const char *value) {
    fprintf(file, "%s ", key);
    for (; *value != '\0'; value++) {
        if (*value == '\n')
            fputs("\\n", file);
        else if (*value == '\\')
            fputs("\\\\", file);
        else
            fputc(*value, file);
    }
    fputc('\n', file);
}

static void
copy_lines(FILE *file, const char *key, const char *path, const char *const *starts) {
    char line[512];
    FILE *source = fopen(path, "re");

    if (source == NULL) abort();
    while (fgets(line, sizeof(line), source) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        for (const char *const *start = starts; *start != NULL; start++)
            if (strncmp(line, *start, strlen(*start)) == 0) tell(file, key, line);
    }
    fclose(source);
}

/* What there is before this opens anything. */
static char *
open_fds(void) {
    static char text[MOST_FDS * 64];
    char link[64], target[PATH_ROOM];
    size_t length = 0;

    for (int fd = 0; fd < MOST_FDS; fd++) {
        int flags = fcntl(fd, F_GETFL);

        if (flags == -1) continue;
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t size = readlink(link, target, sizeof(target) - 1);
        target[size < 0 ? 0 : size] = '\0';
        int room = (int) (sizeof(text) - length);
        length += (size_t) snprintf(text + length, (size_t) room, "fd %d %o %s\n", fd, flags, target);
    }
    return text;
}

int
main(int argc, char **argv) {
    static const char *const signals[] = { "SigBlk", "SigIgn", NULL };
    static const char *const others[] = { "NoNewPrivs", "CapInh", "CapPrm", "CapEff",
                                          "CapBnd",     "CapAmb", "Groups", NULL };
    static const char *const all[] = { "", NULL };
    char path[PATH_ROOM], cwd[PATH_ROOM];
    const char *fds = open_fds();
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 16);
    int death = 0;

    if (size < 0) abort();
    strcpy(path + size, ".record");
    FILE *file = fopen(path, "we");
    if (file == NULL) abort();
    fputs(fds, file);
    for (int i = 0; i < argc; i++) tell(file, "arg", argv[i]);
    for (char **each = environ; *each != NULL; each++) tell(file, "env", *each);
    tell(file, "cwd", getcwd(cwd, sizeof(cwd)) == NULL ? "" : cwd);
    copy_lines(file, "signals", "/proc/self/status", signals);
    copy_lines(file, "other", "/proc/self/status", others);
    copy_lines(file, "limit", "/proc/self/limits", all);
    mode_t mask = umask(0);
    prctl(PR_GET_PDEATHSIG, &death);
    fprintf(file, "other umask %o, parent-death signal %d, nice %d\npid %d\n", mask, death, nice(0),
            getpid());
    if (fclose(file) != 0) abort();

    const char *last = argv[argc - 1];
    if (strncmp(last, "die:", 4) == 0) {
        signal(atoi(last + 4), SIG_DFL);
        raise(atoi(last + 4));
    }
    return strncmp(last, "exit:", 5) == 0 ? atoi(last + 5) : 0;
}
