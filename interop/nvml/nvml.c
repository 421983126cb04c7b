/* NVML without a GPU, for tests: the functions of nvml.h that the agent calls, with made-up devices.
 *
 * How it behaves is a list of words with commas between them, in the environment variable FALCON_FAKE_NVML, else in the
 * macro HOW of its compilation:
 *
 *   2            so many devices
 *   initfails    nvmlInit fails with "unknown error"; nodriver: as where the driver is not loaded
 *   countfails   nvmlDeviceGetCount fails
 *   hang         nvmlInit never returns
 *   nofan, notemp, nomemory, noutil, nopower, nouuid
 *                these cannot be read from any device
 *   lost         the first device gives no handle
 *   longuuid     the UUID fills the buffer and has no end
 *   absurd       each number has all bits set
 *   sameuuid     all devices have the UUID of the first
 *
 * Without any of them the driver is not loaded. With the macro ONLY_OLD it has the names of before NVML 5 and nothing
 * that the agent can do without; with NOT_NVML it has none of these functions.
 *
 * It is strict where NVML counts references: what is initialised must be shut down before it is initialised again. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
#define EXPORT __declspec(dllexport)
#define WAIT() Sleep(1000)
#else
#include <unistd.h>
#define EXPORT __attribute__((visibility("default")))
#define WAIT() sleep(1)
#endif

#ifndef HOW
#define HOW "nodriver"
#endif

#ifdef ONLY_OLD
#define V2(name) name
#else
#define V2(name) name##_v2
#endif

enum { SUCCESS, UNINITIALIZED, INVALID_ARGUMENT, NOT_SUPPORTED, NOT_LOADED = 9, LOST = 15, UNKNOWN = 999 };

enum { MOST = 4096 };

struct memory { unsigned long long total, free, used; };
struct utilization { unsigned gpu, memory; };

static char devices[MOST];
static int initialised;

/* The word of the list that begins so, up to the comma; or NULL. */
static const char *word(const char *begin)
{
    const char *at = getenv("FALCON_FAKE_NVML");
    for (at = at ? at : HOW; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (!strncmp(at, begin, strlen(begin)) && (*begin || (*at >= '0' && *at <= '9')))
            return at;
    }
    return NULL;
}

static unsigned absurd(unsigned sane)
{
    return word("absurd") ? UINT32_MAX : sane;
}

/* The number of a device, or the code with which the call fails. */
static int number(void *device, const char *cannot, unsigned *number)
{
    if (!initialised)
        return UNINITIALIZED;
    if ((char *)device < devices || (char *)device >= devices + MOST)
        return INVALID_ARGUMENT;
    *number = (unsigned)((char *)device - devices);
    return word(cannot) ? NOT_SUPPORTED : SUCCESS;
}

#ifndef NOT_NVML

EXPORT int V2(nvmlInit)(void)
{
    while (word("hang"))
        WAIT();
    if (word("initfails"))
        return UNKNOWN;
    if (!word(""))
        return NOT_LOADED;
    return initialised++ ? UNKNOWN : SUCCESS;
}

EXPORT int V2(nvmlDeviceGetCount)(unsigned *count)
{
    if (!initialised || word("countfails"))
        return initialised ? UNKNOWN : UNINITIALIZED;
    *count = (unsigned)strtoul(word(""), NULL, 10);
    return SUCCESS;
}

EXPORT int V2(nvmlDeviceGetHandleByIndex)(unsigned index, void **device)
{
    if (!initialised || index >= MOST || (index == 0 && word("lost")))
        return initialised ? LOST : UNINITIALIZED;
    *device = devices + index;
    return SUCCESS;
}

EXPORT int nvmlShutdown(void)
{
    if (!initialised)
        return UNINITIALIZED;
    initialised--;
    return SUCCESS;
}

#endif

#if !defined ONLY_OLD && !defined NOT_NVML

EXPORT const char *nvmlErrorString(int status)
{
    return status == UNKNOWN ? "Unknown Error" : NULL;
}

EXPORT int nvmlDeviceGetUUID(void *device, char *uuid, unsigned length)
{
    unsigned n;
    int status = number(device, "nouuid", &n);
    if (status)
        return status;
    if (word("longuuid"))
        memset(uuid, 'x', length);
    else
        snprintf(uuid, length, "GPU-8932f937-d72c-4106-c12f-%012u", word("sameuuid") ? 0 : n);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetFanSpeed(void *device, unsigned *percent)
{
    unsigned n;
    int status = number(device, "nofan", &n);
    if (!status)
        *percent = absurd(40 + n);
    return status;
}

EXPORT int nvmlDeviceGetTemperature(void *device, unsigned sensor, unsigned *celsius)
{
    unsigned n;
    int status = number(device, "notemp", &n);
    if (!status)
        *celsius = absurd(60 + n);
    return sensor ? INVALID_ARGUMENT : status;
}

EXPORT int nvmlDeviceGetMemoryInfo(void *device, struct memory *memory)
{
    unsigned n;
    int status = number(device, "nomemory", &n);
    if (status)
        return status;
    /* One byte less than a whole MiB: integer division shows. */
    memory->total = (16ull << 30) - 1;
    memory->used = ((n + 1ull) << 30) - 1;
    memory->free = memory->total - memory->used;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetUtilizationRates(void *device, struct utilization *percent)
{
    unsigned n;
    int status = number(device, "noutil", &n);
    if (status)
        return status;
    percent->gpu = absurd(30 + n);
    percent->memory = absurd(10 + n);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts)
{
    unsigned n;
    int status = number(device, "nopower", &n);
    if (!status)
        *milliwatts = absurd(70999 + 1000 * n);
    return status;
}

#endif
