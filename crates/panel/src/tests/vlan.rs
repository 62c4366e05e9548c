//! VLAN operations at the ports of a component.

use protocol::command::component::VlanTag;

use super::frames::{mixture, tagged};
use super::*;
use crate::Function;
use crate::line::Stage;
use crate::vlan::Vlan;

fn stages(tag: VlanTag) -> Vec<Arc<dyn Stage>> {
    vec![Arc::new(Vlan::new(&tag))]
}

#[test]
fn tags_go_where_packets_come_in_and_come_where_they_go_out() {
    with_eal(
        "tests::vlan::tags_go_where_packets_come_in_and_come_where_they_go_out",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = bench.board(vec![bench.worker(Poll::Busy)]);
            let add = |id, pcp| VlanTag::add(id, pcp).unwrap();
            board.start("a", Function::Forward, 1).unwrap();
            board
                .attach("a", ring(0), Direction::Rx, stages(VlanTag::Del))
                .unwrap();
            board
                .attach("a", ring(1), Direction::Tx, stages(add(101, 3)))
                .unwrap();
            let plain = mixture(60);
            let with = |tci| plain.iter().map(|f| tagged(f, tci)).collect::<Vec<_>>();
            // Whatever the tag was, and however the frame lies in memory.
            for room in [2048, 13, 17] {
                let short = |f: &Vec<u8>| f.len() < 200 || room > 1000;
                let mut given = with(0xe005);
                let mut want = with(0x6065);
                given.retain(short);
                want.retain(short);
                bench.put(0, &given, room);
                let got = bench.take(1, want.len());
                assert!(got == want, "room {room}");
            }
            // Another table: the worker has left the former one, and counted.
            let same = stages(add(101, 3));
            board.equip("a", ring(1), Direction::Tx, same).unwrap();
            let sent = board.components()[0].tx[0].totals;
            let bytes = |frames: Vec<Vec<u8>>| frames.iter().map(Vec::len).sum::<usize>() as u64;
            let short = with(1).into_iter().filter(|f| f.len() < 200).collect();
            assert_eq!(sent.tx_bytes, bytes(with(1)) + 2 * bytes(short));
            assert_eq!(sent.drops.iter().sum::<u64>(), 0);

            // Another one, and none, while everything runs.
            let out = (ring(1), Direction::Tx);
            board.equip("a", out.0, out.1, stages(add(7, 0))).unwrap();
            bench.put(0, &plain, 2048);
            assert!(bench.take(1, plain.len()) == with(7));
            board.equip("a", out.0, out.1, Vec::new()).unwrap();
            bench.put(0, &with(9), 2048);
            assert!(bench.take(1, plain.len()) == plain);
            board.stop("a").unwrap();
            bench.assert_whole(board);
        },
    );
}
