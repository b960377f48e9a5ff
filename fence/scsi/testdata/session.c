/* session: holds one iSCSI session as a user-space initiator does, and answers
 * the helper's protocol on a UNIX socket, one request a connection.
 *
 *   cc -o session session.c -liscsi
 *   session <url> <initiator name> <socket>
 *
 * A session is held because tgtd ties a registration to it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

enum { type_registrants_only = 5, unit_attention = 6, illegal_request = 5 };

static struct iscsi_context *session;
static int lun;

static struct scsi_task *out(int action, uint64_t key, uint64_t action_key) {
	struct scsi_persistent_reserve_out_basic list;
	memset(&list, 0, sizeof list);
	list.reservation_key = key;
	list.service_action_reservation_key = action_key;
	return iscsi_persistent_reserve_out_sync(session, lun, action, 0, type_registrants_only, &list);
}

/* finish tells the outcome and returns whether the command was done. */
static int finish(FILE *to, struct scsi_task *task) {
	int good = task && task->status == SCSI_STATUS_GOOD;
	if (!task)
		fprintf(to, "outcome=failed\ndetail=%s\n", iscsi_get_error(session));
	else if (good)
		fprintf(to, "outcome=done\n");
	else if (task->status == SCSI_STATUS_RESERVATION_CONFLICT)
		fprintf(to, "outcome=conflict\n");
	else
		fprintf(to, "outcome=%s\ndetail=sense %d/%04x\n", task->sense.key == illegal_request ? "unsupported" : "failed", task->sense.key, task->sense.ascq);
	return good;
}

static struct scsi_task *in(int action) {
	struct scsi_task *task = NULL;
	for (int i = 0; i < 8; i++) {
		if (task)
			scsi_free_scsi_task(task);
		task = iscsi_persistent_reserve_in_sync(session, lun, action, 4096);
		if (!task || task->status != SCSI_STATUS_CHECK_CONDITION || task->sense.key != unit_attention)
			break;
	}
	return task;
}

static void read_all(FILE *to) {
	struct scsi_task *keys = in(0), *held = in(1);
	int good = keys && keys->status == SCSI_STATUS_GOOD;
	if (!finish(to, good ? held : keys) || !good)
		return;
	struct scsi_persistent_reserve_in_read_keys *k = scsi_datain_unmarshall(keys);
	struct scsi_persistent_reserve_in_read_reservation *r = scsi_datain_unmarshall(held);
	fprintf(to, "generation=%u\npaths=1\n", k->prgeneration);
	for (int i = 0; i < k->num_keys; i++)
		fprintf(to, "key=0x%llx\n", (unsigned long long)k->keys[i]);
	if (r->reserved)
		fprintf(to, "holder=0x%llx\ntype=%d\n", (unsigned long long)r->reservation_key, r->pr_type);
}

static void answer(FILE *from, FILE *to) {
	char line[512], operation[64] = "";
	uint64_t key = 0, victim = 0;
	while (fgets(line, sizeof line, from)) {
		sscanf(line, "operation=%63s", operation);
		if (!strncmp(line, "key=", 4))
			key = strtoull(line + 4, NULL, 0);
		if (!strncmp(line, "victim=", 7))
			victim = strtoull(line + 7, NULL, 0);
	}
	if (!strcmp(operation, "read"))
		read_all(to);
	else if (!strcmp(operation, "register"))
		finish(to, out(6, 0, key));
	else if (!strcmp(operation, "reserve"))
		finish(to, out(1, key, 0));
	else if (!strcmp(operation, "preempt-and-abort"))
		finish(to, out(5, key, victim));
	else
		fprintf(to, "outcome=failed\ndetail=no such operation\n");
	fprintf(to, "end=1\n");
}

int main(int argc, char **argv) {
	if (argc != 4)
		return 64;
	session = iscsi_create_context(argv[2]);
	struct iscsi_url *url = iscsi_parse_full_url(session, argv[1]);
	if (!url)
		return 64;
	lun = url->lun;
	iscsi_set_targetname(session, url->target);
	iscsi_set_session_type(session, ISCSI_SESSION_NORMAL);
	iscsi_set_header_digest(session, ISCSI_HEADER_DIGEST_NONE_CRC32C);
	if (iscsi_full_connect_sync(session, url->portal, lun)) {
		fprintf(stderr, "connect: %s\n", iscsi_get_error(session));
		return 1;
	}
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strncpy(address.sun_path, argv[3], sizeof address.sun_path - 1);
	int door = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(door, (struct sockaddr *)&address, sizeof address) || listen(door, 8)) {
		perror("socket");
		return 1;
	}
	for (;;) {
		int caller = accept(door, NULL, NULL);
		FILE *from = fdopen(caller, "r"), *to = fdopen(dup(caller), "w");
		answer(from, to);
		fclose(to);
		fclose(from);
	}
}
