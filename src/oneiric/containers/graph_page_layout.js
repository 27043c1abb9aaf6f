"use strict";
// Where nodes stand: functions left, slots by depth to the right, each as near to its neighbours as the others let it.
// Plain arithmetic on nodes with `place`, `slot`, `height`, `needs` and `users`; it knows no document.
const layout = (() => {
  const WIDTH = 204, HEIGHT = 46, LOSER = 20, GAP_X = 68, GAP_Y = 14, PAD = 26, VOID = 34, SWEEPS = 8, BEND = 6;

  function orderOfNeeds(nodes) {
    // In depth without recursion; a need that leads back into the way to itself counts for no depth.
    const seen = new Map(), order = [], back = new Set();
    for (const start of nodes) {
      if (seen.has(start.place)) continue;
      const work = [[start.place, 0]];
      seen.set(start.place, "open");
      while (work.length) {
        const step = work[work.length - 1];
        const need = nodes[step[0]].needs[step[1]++];
        if (!need) {
          seen.set(step[0], "done");
          order.push(step[0]);
          work.pop();
        } else if (!seen.has(need[0])) {
          seen.set(need[0], "open");
          work.push([need[0], 0]);
        } else if (seen.get(need[0]) === "open") {
          back.add(`${step[0]}>${need[0]}`);
        }
      }
    }
    return [order.reverse(), back];
  }

  function findDepths(nodes) {
    const [order, back] = orderOfNeeds(nodes);
    for (const node of nodes) node.depth = node.slot ? 1 : 0;
    for (const place of order) {
      for (const [target] of nodes[place].needs) {
        if (!back.has(`${place}>${target}`)) {
          nodes[target].depth = Math.max(nodes[target].depth, nodes[place].depth + 1);
        }
      }
    }
  }

  function settle(column, wanted) {
    // The least squares of the distances to where each node wants to be, with gaps kept: pool adjacent violators.
    const blocks = [];
    let offset = 0;
    for (const node of column) {
      blocks.push({ sum: wanted.get(node) - offset, count: 1 });
      offset += node.height + GAP_Y;
      while (blocks.length > 1) {
        const last = blocks[blocks.length - 1], before = blocks[blocks.length - 2];
        if (before.sum / before.count <= last.sum / last.count) break;
        before.sum += last.sum;
        before.count += last.count;
        blocks.pop();
      }
    }
    const tops = blocks.flatMap((block) => Array(block.count).fill(block.sum / block.count));
    offset = 0;
    column.forEach((node, position) => {
      node.y = tops[position] + offset;
      offset += node.height + GAP_Y;
    });
  }

  function columnsOf(shown) {
    const byDepth = [];
    for (const node of shown) (byDepth[node.depth] ||= []).push(node);
    const columns = byDepth.filter(Boolean);
    columns.forEach((column, position) => {
      let top = 0;
      for (const node of column) {
        Object.assign(node, { column: position, y: top, left: [], right: [], bends: [] });
        node.x = PAD + position * (WIDTH + GAP_X);
        top += node.height + GAP_Y;
      }
    });
    return columns;
  }

  function wireOf(item) {
    // Where wires meet a node or a bend; below that, a node may have losers.
    return item.y + Math.min(item.height, HEIGHT) / 2;
  }

  function join(one, other) {
    one.right.push(other);
    other.left.push(one);
  }

  function bendWires(nodes, shown, columns) {
    // A wire past a column gets a place of its own in it, else it would run behind the nodes there. All wires to one
    // node share theirs: `bends` of that node, by column.
    const visible = new Set(shown.map((node) => node.place));
    for (const node of shown) {
      for (const target of node.needs.map(([place]) => nodes[place])) {
        let last = visible.has(target.place) ? node : null;
        for (let column = node.column + 1; last && column < target.column; column += 1) {
          const known = target.bends[column];
          const bend = known || { place: target.place, height: BEND, x: PAD + column * (WIDTH + GAP_X), y: last.y,
            left: [], right: [] };
          join(last, bend);
          if (!known) columns[column].push(bend);
          target.bends[column] = bend;
          last = known ? null : bend;
        }
        if (last) join(last, target);
      }
    }
  }

  function closeVoids(shown) {
    // Rows that no column uses are taken out; returns the lowest edge.
    let bottom = PAD - VOID, moved = Infinity, low = -Infinity;
    for (const node of [...shown].sort((one, other) => one.y - other.y)) {
      if (node.y > low + VOID) moved = node.y - bottom - VOID;
      low = Math.max(low, node.y + node.height);
      node.y -= moved;
      bottom = Math.max(bottom, node.y + node.height);
    }
    return Math.max(bottom, 0);
  }

  function place(nodes, shown) {
    // Sets x and y of what is shown; returns how many columns there are, and the lowest edge.
    const columns = columnsOf(shown);
    bendWires(nodes, shown, columns);
    for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
      const side = sweep % 2 ? "right" : "left";
      for (const column of sweep % 2 ? [...columns].reverse() : columns) {
        const wanted = new Map();
        for (const node of column) {
          const near = node[side].map((other) => wireOf(other) - wireOf(node) + node.y);
          wanted.set(node, near.length ? near.reduce((sum, y) => sum + y, 0) / near.length : node.y);
        }
        column.sort((one, other) => wanted.get(one) - wanted.get(other) || one.place - other.place);
        settle(column, wanted);
      }
    }
    return [columns.length, closeVoids(columns.flat())];
  }

  function columnsIn(width) {
    return Math.max(1, Math.floor((width - 2 * PAD + GAP_Y) / (WIDTH + GAP_Y)));
  }

  function placeIdle(idle, top, columns) {
    let y = top, tallest = 0;
    idle.forEach((node, position) => {
      if (position % columns === 0) {
        y += tallest;
        tallest = 0;
      }
      node.x = PAD + (position % columns) * (WIDTH + GAP_Y);
      node.y = y;
      tallest = Math.max(tallest, node.height + GAP_Y);
    });
  }

  return { WIDTH, HEIGHT, LOSER, PAD, findDepths, place, placeIdle, columnsIn };
})();
