/* Moves the wall clock of the program that preloads it: adds an offset, in microseconds, to what the system says.
 *
 * The offset is an int64 in the file that the environment variable SEATLOCK_CLOCK names. The file stays mapped, so the
 * program sees a change at once. The monotonic clock is left alone.
 *
 * It asks the kernel directly and needs few symbols, so that it also loads into a program that brings a C library of
 * another age.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *offset;

__attribute__((constructor)) static void map_offset(void) {
    const char *path = getenv("SEATLOCK_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *page = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (page != MAP_FAILED) offset = page;
}

static void moved(struct timespec *when) {
    int64_t micros = (int64_t)when->tv_sec * 1000000 + when->tv_nsec / 1000 + (offset ? *offset : 0);
    long rest = when->tv_nsec % 1000;
    int64_t seconds = micros / 1000000, part = micros % 1000000;
    if (part < 0) { part += 1000000; seconds--; }
    when->tv_sec = seconds;
    when->tv_nsec = part * 1000 + rest;
}

int clock_gettime(clockid_t clock, struct timespec *when) {
    int failed = syscall(SYS_clock_gettime, clock, when);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) moved(when);
    return failed;
}

int gettimeofday(struct timeval *restrict when, void *restrict zone) {
    (void)zone;
    struct timespec now;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    if (failed) return failed;
    when->tv_sec = now.tv_sec;
    when->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *when) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    if (when) *when = now.tv_sec;
    return now.tv_sec;
}
