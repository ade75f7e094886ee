export default function Echo() {
  return <span>× {props.times}</span>;
}
