// Vec4 a particle in the arrays that several kernels share: `sums`, the parts of `row` (by backflow_row_sums, backflow_row_pairs and
// backflow_cross), and `turned` (by backflow_row_laplacian).
const SUMS = 4u + 2u * T4 + 2u * H4;
const ROW_PAIRS = DIM * (5u + H4) + DIM * DIM;
const ROW_CROSS = ROW_PAIRS + DIM * (3u + DIM) * T4;
const ROW = ROW_CROSS + (2u + F) * H4;
const TURNED = 2u * DIM * H4 + 3u + T4 + H4;
// `score` (by backflow_score_top and backflow_score_bottom), rows of a value, DIM tangents and, of adjoints, the imaginary value:
// inputs of the second layer (h, g, y), its adjoints, h2, the adjoints of z, y0, adjoints of the first layer, of y1 (Re, Im).
const SCORE_ABOVE = (1u + DIM) * (2u * H4 + T4);
const SCORE_H = SCORE_ABOVE + (2u + DIM) * H4;
const SCORE_Z = SCORE_H + (1u + DIM) * H4;
const SCORE_Y0 = SCORE_Z + 2u + DIM;
const SCORE_BELOW = SCORE_Y0 + 2u * (1u + DIM);
const SCORE_Y1 = SCORE_BELOW + (2u + DIM) * H4;
const SCORE = SCORE_Y1 + 2u * T4;
