"""The lake on lakeFS: connection, snapshots, stage → audit → publish, branches, history, copies."""
