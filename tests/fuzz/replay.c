/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over its committed corpus, without libFuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *exact;
	uint8_t big[1 << 17];
	size_t n;

	if (f == NULL)
		return 0;
	n = fread(big, 1, sizeof big, f);
	fclose(f);
	exact = malloc(n != 0 ? n : 1); /* exact size: an over-read is seen by the sanitizer */
	if (exact == NULL)
		abort();
	memcpy(exact, big, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return 1;
}

int
main(int argc, char **argv)
{
	int files = 0;

	for (int i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);
		struct dirent *e;
		char path[4096];

		while (d != NULL && (e = readdir(d)) != NULL) {
			if (e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
			files += run_file(path);
		}
		if (d != NULL)
			closedir(d);
	}
	printf("replayed %d inputs\n", files);
	printf("[  %s  ] 1 test(s).\n", files > 0 ? "PASSED" : "FAILED");
	return files > 0 ? 0 : 1;
}
