/* What stands for a new executable that is no good. HOW says in what way: 'r' refuses every configuration; the others hand
 * `config` and `collect` to the agent beside them, say a version of their own, and then, in the agent's place, 'c' ends as soon as it runs and 'm'
 * runs and sends nothing. On Windows in its place means through the service control manager.
 *
 * Source: execv(3); the Windows SDK's documentation of StartServiceCtrlDispatcher. */

#ifdef _WIN32
#define _WIN32_WINNT 0x0601
#include <windows.h>
#include <process.h>
#include <stdio.h>
#include <wchar.h>
#define TEXT_OF(text) L##text
#define same(a, b) (!wcscmp(a, b))
typedef wchar_t letter;
#else
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#define TEXT_OF(text) text
#define same(a, b) (!strcmp(a, b))
typedef char letter;
#endif

/* Whether the first word is one that every agent answers at once. */
static int is_question(int count, letter **words)
{
    return count > 1 && (same(words[1], TEXT_OF("config")) || same(words[1], TEXT_OF("collect")));
}

static int is_version(int count, letter **words)
{
    return count > 1 && same(words[1], TEXT_OF("-v"));
}

#ifdef _WIN32

static SERVICE_STATUS_HANDLE status;
static HANDLE told_to_stop;

static void report(DWORD state)
{
    SERVICE_STATUS now = { SERVICE_WIN32_OWN_PROCESS, state, 0, NO_ERROR, 0, 0, 0 };
    if (state == SERVICE_RUNNING)
        now.dwControlsAccepted = SERVICE_ACCEPT_STOP;
    SetServiceStatus(status, &now);
}

static DWORD WINAPI handle(DWORD control, DWORD type, void *data, void *context)
{
    (void)type, (void)data, (void)context;
    if (control == SERVICE_CONTROL_STOP)
        SetEvent(told_to_stop);
    return control == SERVICE_CONTROL_STOP || control == SERVICE_CONTROL_INTERROGATE ? NO_ERROR : ERROR_CALL_NOT_IMPLEMENTED;
}

static void WINAPI run(DWORD count, wchar_t **words)
{
    (void)count;
    told_to_stop = CreateEventW(NULL, TRUE, FALSE, NULL);
    status = RegisterServiceCtrlHandlerExW(words[0], handle, NULL);
    report(SERVICE_RUNNING);
    if (HOW == 'c')
        TerminateProcess(GetCurrentProcess(), 3);
    WaitForSingleObject(told_to_stop, INFINITE);
    report(SERVICE_STOPPED);
}

int wmain(int count, wchar_t **words)
{
    if (is_version(count, words))
        return puts("no good") < 0;
    if (is_question(count, words)) {
        static wchar_t path[MAX_PATH], line[8192];
        if (HOW == 'r')
            return fputs("made for another world\n", stderr), 1;
        GetModuleFileNameW(NULL, path, MAX_PATH);
        wcscpy(wcsrchr(path, L'\\') + 1, L"falcon-agent.exe");
        swprintf(line, 8192, L"\"%ls\"", path);
        for (int n = 1; n < count; n++)
            swprintf(line + wcslen(line), 8192 - wcslen(line), L" \"%ls\"", words[n]);
        STARTUPINFOW how = { .cb = sizeof how };
        PROCESS_INFORMATION child;
        DWORD code = 1;
        if (!CreateProcessW(path, line, NULL, NULL, TRUE, 0, NULL, NULL, &how, &child))
            return 1;
        WaitForSingleObject(child.hProcess, INFINITE);
        GetExitCodeProcess(child.hProcess, &code);
        return (int)code;
    }
    const SERVICE_TABLE_ENTRYW table[] = { { (wchar_t *)L"", run }, { NULL, NULL } };
    return !StartServiceCtrlDispatcherW(table);
}

#else

int main(int count, char **words)
{
    if (is_version(count, words))
        return puts("no good") < 0;
    if (is_question(count, words)) {
        static char path[4096];
        ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
        if (HOW == 'r' || length < 0)
            return fputs("made for another world\n", stderr), 1;
        path[length] = 0;
        strcat(dirname(path), "/falcon-agent");
        execv(path, words);
        return 1;
    }
    if (HOW == 'c')
        return 3;
    for (;;)
        pause();
}

#endif
