/* A plugin of Windows for tests, and what stands for an interpreter of one: what it does, its own name says, which for a plugin
 * is what follows the first `_`.
 *
 *   hang     runs until it is ended
 *   brief... waits for a moment
 *   tree     starts a copy of itself that hangs and has its outputs, and exits
 *   leave    starts one without them, and exits
 *   flood    prints 100 MB
 *   binary   prints every byte
 *   gbk      prints a point with a tag in GBK
 *   mark     prints a point after the byte order mark of UTF-8
 *   wide     prints a point in UTF-16
 *   fail     prints a point, says something on standard error, and exits with code 1
 *   silent   prints a point and exits with code 1
 *   own      writes the file `written` beside itself, and prints a point
 *   (other)  prints for each of its arguments a point `argument` with its place as the value and the tags
 *            `by=NAME,text=` its UTF-8 in hexadecimal, after one with the value 0 and without a text
 *
 * Points have the endpoint FALCON_ENDPOINT, the step FALCON_STEP, and the metric `NAME`, where nothing else is said. */

#define _WIN32_WINNT 0x0601

#include <windows.h>
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

static char endpoint[256], step[16];

static void point(const char *metric, int value, const char *tags)
{
    printf("{\"endpoint\":\"%s\",\"metric\":\"%s\",\"timestamp\":0,\"step\":%s,\"value\":%d,"
           "\"counterType\":\"GAUGE\",\"tags\":\"%s\"}", endpoint, metric, step, value, tags);
}

static void one(const char *metric, const char *tags)
{
    printf("[");
    point(metric, 1, tags);
    printf("]\n");
}

static int start_one_that_hangs(const wchar_t *path, BOOL has_outputs)
{
    wchar_t line[2 * MAX_PATH];
    STARTUPINFOW startup = { .cb = sizeof startup };
    PROCESS_INFORMATION process;
    _snwprintf(line, 2 * MAX_PATH, L"\"%ls\" hang", path);
    DWORD flags = has_outputs ? 0 : DETACHED_PROCESS;
    if (!CreateProcessW(path, line, NULL, NULL, has_outputs, flags, NULL, NULL, &startup, &process)) {
        fprintf(stderr, "CreateProcessW: %lu\n", GetLastError());
        return 2;
    }
    one("started", "");
    return 0;
}

static void arguments(const char *name, int count, wchar_t **words)
{
    char tags[8192], text[2048];
    snprintf(tags, sizeof tags, "by=%s", name);
    printf("[");
    point("argument", 0, tags);
    for (int i = 1; i < count; i++) {
        int length = WideCharToMultiByte(CP_UTF8, 0, words[i], -1, text, sizeof text, NULL, NULL);
        int at = snprintf(tags, sizeof tags, "by=%s,text=", name);
        for (int k = 0; k + 1 < length; k++)
            at += snprintf(tags + at, sizeof tags - at, "%02x", (unsigned char)text[k]);
        printf(",");
        point("argument", i, tags);
    }
    printf("]\n");
}

int wmain(int count, wchar_t **words)
{
    wchar_t path[MAX_PATH];
    char name[256];
    GetModuleFileNameW(NULL, path, MAX_PATH);
    wchar_t *base = wcsrchr(path, L'\\') + 1;
    wchar_t *mark = wcschr(base, L'_');
    snprintf(name, sizeof name, "%ls", mark ? mark + 1 : base);
    name[strcspn(name, ".")] = 0;
    if (!GetEnvironmentVariableA("FALCON_ENDPOINT", endpoint, sizeof endpoint)
        || !GetEnvironmentVariableA("FALCON_STEP", step, sizeof step)) {
        fprintf(stderr, "FALCON_ENDPOINT and FALCON_STEP are not set\n");
        return 2;
    }
    _setmode(_fileno(stdout), _O_BINARY);

    if (!strncmp(name, "brief", 5))
        Sleep(300);
    if (!strcmp(name, "hang") || (count == 2 && mark && !wcscmp(words[1], L"hang"))) {
        Sleep(INFINITE);
    } else if (!strcmp(name, "tree")) {
        return start_one_that_hangs(path, TRUE);
    } else if (!strcmp(name, "leave")) {
        return start_one_that_hangs(path, FALSE);
    } else if (!strcmp(name, "flood")) {
        static char block[1 << 20];
        memset(block, ' ', sizeof block);
        for (int i = 0; i < 100; i++)
            fwrite(block, 1, sizeof block, stdout);
        one(name, "");
    } else if (!strcmp(name, "binary")) {
        for (int i = 0; i < 256; i++)
            putchar(i);
    } else if (!strcmp(name, "gbk")) {
        one(name, "name=\xd6\xd0\xce\xc4");
    } else if (!strcmp(name, "mark")) {
        printf("\xef\xbb\xbf");
        one(name, "");
    } else if (!strcmp(name, "wide")) {
        char text[1024];
        int length = snprintf(text, sizeof text, "[{\"endpoint\":\"%s\",\"metric\":\"wide\",\"timestamp\":0,\"step\":%s,"
                              "\"value\":1,\"counterType\":\"GAUGE\",\"tags\":\"\"}]", endpoint, step);
        printf("\xff\xfe");
        for (int i = 0; i < length; i++)
            printf("%c%c", text[i], 0);
    } else if (!strcmp(name, "fail") || !strcmp(name, "silent")) {
        one(name, "");
        if (!strcmp(name, "fail"))
            fprintf(stderr, "the disk is on fire\n");
        return 1;
    } else if (!strcmp(name, "own")) {
        wcscpy(base, L"written");
        FILE *written = _wfopen(path, L"w");
        if (!written)
            return 2;
        fclose(written);
        one(name, "");
    } else {
        arguments(name, count, words);
    }
    return 0;
}
