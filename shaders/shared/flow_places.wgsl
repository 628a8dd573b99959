// Vec4 a particle in the arrays that several kernels share: `sums`, the parts of `row` (by flow_row_sums, flow_row_pairs and
// flow_cross), and `turned` (by flow_row_laplacian).
const SUMS = 4u + 2u * T4 + 2u * H4;
const ROW_PAIRS = DIM * (5u + H4) + DIM * DIM;
const ROW_CROSS = ROW_PAIRS + DIM * (3u + DIM) * T4;
const ROW = ROW_CROSS + (2u + F) * H4;
const TURNED = 2u * DIM * H4 + 3u + T4 + H4;
