// What Debian's libstdc++, which is made for glibc, misses in musl, and one function of a newer libstdc++. For tests
// only: it lets a Node for musl start on Debian, which has no C++ library for musl. The addon uses nothing of it.
#define _GNU_SOURCE
#include <locale.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

// musl has these without declaring them.
const unsigned short **__ctype_b_loc(void);
const int **__ctype_tolower_loc(void);
const int **__ctype_toupper_loc(void);

char __libc_single_threaded;

// Hidden versions of libgcc_s, which musl's loader does not see.
unsigned __cpu_model[4];

int
__cpu_indicator_init(void) {
    return 0;
}

unsigned
arc4random(void) {
    unsigned number = 0;
    (void) !getrandom(&number, sizeof number, 0);
    return number;
}

// "Not known": the unwinder asks dl_iterate_phdr instead, which musl has.
int
_dl_find_object(void *address, void *result) {
    (void) address, (void) result;
    return -1;
}

size_t
__strftime_l(char *to, size_t size, const char *format, const struct tm *time, locale_t locale) {
    return strftime_l(to, size, format, time, locale);
}

// glibc's struct __locale_struct, whose tables libstdc++ reads directly. musl reads six pointers at its beginning,
// and takes null for the C locale: so this one object is the C locale to both.
static struct {
    void *locales[13];
    const unsigned short *ctype_b;
    const int *ctype_tolower, *ctype_toupper;
    const char *names[13];
} c_locale;

locale_t
newlocale(int mask, const char *name, locale_t base) {
    (void) mask, (void) base;
    if (strcmp(name, "C") != 0 && strcmp(name, "POSIX") != 0) return 0;
    c_locale.ctype_b = *__ctype_b_loc();
    c_locale.ctype_tolower = *__ctype_tolower_loc();
    c_locale.ctype_toupper = *__ctype_toupper_loc();
    for (int index = 0; index < 13; index++) c_locale.names[index] = "C";
    return (locale_t) &c_locale;
}

locale_t
__newlocale(int mask, const char *name, locale_t base) {
    return newlocale(mask, name, base);
}

locale_t
__duplocale(locale_t locale) {
    return locale;
}

void
freelocale(locale_t locale) {
    (void) locale;
}

void
__freelocale(locale_t locale) {
    (void) locale;
}

struct ending {
    void (*end)(void *);
    void *object;
    struct ending *next;
};

static pthread_key_t endings;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
run_endings(void *first) {
    for (struct ending *each = first, *next; each != NULL; each = next) {
        next = each->next;
        each->end(each->object);
        free(each);
    }
}

static void
make_key(void) {
    pthread_key_create(&endings, run_endings);
}

int
__cxa_thread_atexit_impl(void (*end)(void *), void *object, void *library) {
    (void) library;
    pthread_once(&once, make_key);
    struct ending *ending = malloc(sizeof *ending);
    if (ending == NULL) return -1;
    *ending = (struct ending){ end, object, pthread_getspecific(endings) };
    return pthread_setspecific(endings, ending);
}

// std::string::_M_replace_cold(char *, size_type, const char *, size_type, size_type) of GCC 13: replaces `size` bytes
// at `at` by `from`, which lies in the same string, and moves the `tail` bytes behind them.
void
_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE15_M_replace_coldEPcmPKcmm(void *self, char *at,
                                                                                size_t size, const char *from,
                                                                                size_t new_size,
                                                                                size_t tail) {
    (void) self;
    if (new_size != 0 && new_size <= size) memmove(at, from, new_size);
    if (tail != 0 && size != new_size) memmove(at + new_size, at + size, tail);
    if (new_size <= size) return;
    if (from + new_size <= at + size) {
        memmove(at, from, new_size);
    } else if (from >= at + size) {
        memcpy(at, from + (new_size - size), new_size);
    } else {
        size_t left = (size_t) (at + size - from);
        memmove(at, from, left);
        memcpy(at + left, at + new_size, new_size - left);
    }
}
