// Linear index of a workgroup in a grid that the host folded into two dimensions
// (a single dimension stops at 65,535 workgroups).
fn flat_group(group: vec3<u32>, groups: vec3<u32>) -> u32 {
  return group.x + group.y * groups.x;
}
