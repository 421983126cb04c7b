/* A Windows service for tests, under any name: an older agent, or a service that is none of the agent's business. The same
 * program asks what Wine's own tools cannot.
 *
 *   service.exe                     as the service control manager starts it: runs until it is told to stop
 *   service.exe control NAME CODE   sends a service a control code, and prints the error code that came of it (0: none)
 *   service.exe handles             prints for each process its image and how many handles it has
 *
 * Source: the Windows SDK's documentation of StartServiceCtrlDispatcher and ControlService; winternl.h for the two system
 * lists, in the layout that they have had since Windows XP. */

#define _WIN32_WINNT 0x0601

#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

static SERVICE_STATUS_HANDLE status;
static HANDLE told_to_stop;

static void report(DWORD state)
{
    SERVICE_STATUS now = { SERVICE_WIN32_OWN_PROCESS, state, 0, NO_ERROR, 0, 0, 0 };
    if (state == SERVICE_RUNNING)
        now.dwControlsAccepted = SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN;
    SetServiceStatus(status, &now);
}

static DWORD WINAPI handle(DWORD control, DWORD type, void *data, void *context)
{
    (void)type, (void)data, (void)context;
    switch (control) {
    case SERVICE_CONTROL_STOP:
    case SERVICE_CONTROL_SHUTDOWN:
        report(SERVICE_STOP_PENDING);
        SetEvent(told_to_stop);
        return NO_ERROR;
    case SERVICE_CONTROL_INTERROGATE:
        return NO_ERROR;
    default:
        return ERROR_CALL_NOT_IMPLEMENTED;
    }
}

static void WINAPI run(DWORD count, wchar_t **words)
{
    (void)count;
    told_to_stop = CreateEventW(NULL, TRUE, FALSE, NULL);
    status = RegisterServiceCtrlHandlerExW(words[0], handle, NULL);
    report(SERVICE_RUNNING);
    WaitForSingleObject(told_to_stop, INFINITE);
    report(SERVICE_STOPPED);
}

static int control(const wchar_t *name, const wchar_t *code)
{
    SERVICE_STATUS after;
    DWORD error = NO_ERROR;
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = manager ? OpenServiceW(manager, name, SERVICE_ALL_ACCESS) : NULL;
    if (!service || !ControlService(service, wcstoul(code, NULL, 10), &after))
        error = GetLastError();
    printf("%lu\n", error);
    return error != NO_ERROR;
}

/* SYSTEM_PROCESS_INFORMATION, as far as it is read. */
struct process {
    ULONG next, threads;
    LARGE_INTEGER reserved[6];
    USHORT name_bytes, name_room;
    wchar_t *name;
    LONG priority;
    void *pid;
};

/* SYSTEM_HANDLE_INFORMATION_EX */
struct handle {
    void *object;
    ULONG_PTR pid, value;
    ULONG access;
    USHORT trace, type;
    ULONG attributes, reserved;
};

struct handles {
    ULONG_PTR count, reserved;
    struct handle all[1];
};

static void *system_list(ULONG class)
{
    LONG (NTAPI *query)(ULONG, void *, ULONG, ULONG *) =
        (void *)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQuerySystemInformation");
    for (ULONG bytes = 1 << 20; bytes <= 1u << 28; bytes *= 2) {
        void *list = malloc(bytes);
        if (list && query(class, list, bytes, NULL) >= 0)
            return list;
        free(list);
    }
    return NULL;
}

static int handles(void)
{
    char *processes = system_list(5);
    struct handles *list = system_list(64);
    if (!processes || !list)
        return 1;
    for (struct process *at = (void *)processes;; at = (void *)((char *)at + at->next)) {
        unsigned long count = 0;
        for (ULONG_PTR n = 0; n < list->count; n++)
            count += list->all[n].pid == (ULONG_PTR)at->pid;
        if (at->name)
            printf("%.*ls %lu\n", at->name_bytes / 2, at->name, count);
        if (!at->next)
            return 0;
    }
}

int wmain(int count, wchar_t **words)
{
    if (count == 4 && !wcscmp(words[1], L"control"))
        return control(words[2], words[3]);
    if (count == 2 && !wcscmp(words[1], L"handles"))
        return handles();
    const SERVICE_TABLE_ENTRYW table[] = { { (wchar_t *)L"", run }, { NULL, NULL } };
    return !StartServiceCtrlDispatcherW(table);
}
