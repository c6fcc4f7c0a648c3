/* A disk whose syncs take SYNC_US microseconds each, one at a time: to be put before libc by LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;

static int sync_by(const char *name, int fd)
{
    pthread_mutex_lock(&disk);
    usleep(SYNC_US);
    pthread_mutex_unlock(&disk);
    return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}

int fsync(int fd) { return sync_by("fsync", fd); }
int fdatasync(int fd) { return sync_by("fdatasync", fd); }
